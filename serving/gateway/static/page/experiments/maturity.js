// Whether the labels are in yet: how late they come, how many are still expected, and what a verdict waits for.
import { html } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { moment, number, percent, t } from "../i18n.js";

const days = (value) => number(value, value < 0.1 ? 3 : 1);

export function maturity({ maturity: { delay, ages, mature, expected, waits, exposure } }) {
  const known = ages.filter(({ exposures }) => exposures > 0);
  return html`
    ${waits.reason ? html`<p class="waits">${t("experiments.maturity.waits", {
      ran: days(waits.days), days: days(waits.min_days), seen: number(waits.units), units: number(waits.min_units),
    })}</p>` : ""}
    ${delay.labels === 0 ? html`<p>${t("experiments.maturity.none")}</p>` : html`
      <p>${t("experiments.maturity.delay", { median: days(delay.median_days), p80: days(delay.p80_days) })}</p>
      <ul class="plain note">${delay.arms.filter(({ labels }) => labels > 0).map(({ variant, median_days: median, p80_days: p80 }) => html`
        <li>${variant}: ${t("experiments.maturity.delay", { median: days(median), p80: days(p80) })}</li>`)}</ul>`}
    ${mature.share === null ? "" : html`<p>${t(`experiments.maturity.mature.${exposure}`, {
      exposures: number(mature.exposures), share: percent(mature.share),
    })}</p>`}
    ${expected?.labels ? html`<p>${t("experiments.maturity.expected", { labels: number(expected.labels), by: moment(expected.by) })}</p>` : ""}
    ${known.length === 0 ? "" : html`
      <table>
        <caption>${t(`experiments.maturity.caption.${exposure}`)}</caption>
        <thead><tr>${["age", "exposures", "share"].map((column) => html`
          <th scope="col" class=${column === "age" ? "" : "figure"}>${t(`experiments.maturity.column.${column}`)}</th>`)}</tr></thead>
        <tbody>${known.map(({ from_days: from, to_days: to, exposures, share }) => html`
          <tr><th scope="row">${t(to === null ? "experiments.maturity.older" : "experiments.maturity.age", { from, to })}</th>
            <td class="figure">${number(exposures)}</td><td class="figure">${percent(share)}</td></tr>`)}</tbody>
      </table>`}
  `;
}
