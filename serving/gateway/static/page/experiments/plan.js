// How long an experiment will take: a form beside that of a new experiment, and what the gateway's simulation says.
import { html, nothing } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { path, post } from "../api.js";
import { number, t } from "../i18n.js";
import { problem } from "../resource.js";

const PERCENTAGES = ["control_error", "variant_error", "disagreement", "neither_right", "label_share"];
const OF_PAIRS = ["disagreement", "neither_right"];
const OTHERS = ["images_per_day", "label_delay_days", "images_per_unit", "runs"];
const TEXTS = ["pilot", "variant"];
const MEASURES = { images: 0, labels: 0, days: 1 }; // with so many places after the point

export class Plan {
  found = null;
  error = null;
  asking = false;

  /** `design()` returns what the new experiment's form says; `changed()` draws anew. */
  constructor(design, changed) {
    Object.assign(this, { design, changed });
  }

  async ask(form) {
    const data = new FormData(form);
    const given = (name) => data.get(name).trim();
    const spec = this.design();
    for (const name of PERCENTAGES) if (given(name) && (spec.paired || !OF_PAIRS.includes(name))) spec[name] = percentage(given(name));
    for (const name of OTHERS) if (given(name)) spec[name] = figure(given(name));
    for (const name of TEXTS) if (given(name)) spec[name] = given(name);
    if (data.has("label")) spec.label = "all";
    this.form = form;
    Object.assign(this, { asking: true, error: null });
    this.changed();
    try {
      this.found = await post(path("experiments", "plan"), spec, { as: "admin" });
    } catch (error) {
      Object.assign(this, { error, found: null });
    }
    this.asking = false;
    this.changed();
  }

  template() {
    const submitted = (event) => {
      event.preventDefault();
      this.ask(event.target);
    };
    return html`
      <details class="plan">
        <summary>${t("experiments.plan")}</summary>
        <p>${t("experiments.plan.lead")}</p>
        <form id="plan" novalidate @submit=${submitted}>
          ${[...PERCENTAGES, ...OTHERS, ...TEXTS].map((name) => this.field(name))}
          <label class="choice"><input type="checkbox" name="label"> ${t("experiments.plan.label")}</label>
          <p><button ?disabled=${this.asking}>${t("experiments.plan.ask")}</button></p>
        </form>
        ${this.error ? problem(this.error, () => this.ask(this.form)) : ""}
        <div role="status">${this.asking ? t("experiments.plan.asking") : this.found ? told(this.found) : ""}</div>
      </details>
    `;
  }

  field(name) {
    const faults = this.error?.errors.filter(({ pointer }) => pointer === `/${name}`) ?? [];
    return html`
      <div class="field">
        <label for=${`plan-${name}`}>${t(`experiments.plan.${name}`)}</label>
        <input id=${`plan-${name}`} name=${name} autocomplete="off" spellcheck="false"
          inputmode=${TEXTS.includes(name) ? nothing : "decimal"} aria-invalid=${faults.length ? "true" : nothing}
          aria-describedby=${faults.length ? `plan-${name}-fault` : nothing}>
        ${faults.length ? html`<p class="fault" id=${`plan-${name}-fault`}>▲ ${faults.map(({ detail }) => detail).join(" ")}</p>` : ""}
      </div>
    `;
  }
}

function told({ verdicts, smallest_difference: smallest, max_labels: most, ...found }) {
  const measures = Object.entries(MEASURES).filter(([name]) => name !== "days" || found.images_per_day !== null);
  const decided = verdicts.ship + verdicts.roll_back + verdicts.equivalent;
  const values = { most: number(most), smallest: number(100 * (smallest ?? 0), 3) };
  return html`
    <table>
      <caption>${t("experiments.plan.caption", { share: number(100 * decided), runs: number(found.runs), most: values.most })}</caption>
      <thead><tr>${["measure", "median", "p80"].map((column) => html`
        <th scope="col" class=${column === "measure" ? "" : "figure"}>${t(`experiments.plan.column.${column}`)}</th>`)}</tr></thead>
      <tbody>${measures.map(([name, digits]) => html`
        <tr><th scope="row">${t(`experiments.plan.of.${name}`)}</th>
          ${["median", "p80"].map((key) => html`
            <td class="figure">${figures(found[name], key, digits)}</td>`)}</tr>`)}</tbody>
    </table>
    <p>${t(smallest === null ? "experiments.plan.nothing" : "experiments.plan.smallest", values)}</p>
  `;
}

/** Return a quantile, the median with its interval where it has one. */
function figures(quantiles, key, digits) {
  const shown = (name) => (quantiles[name] === null ? "–" : number(quantiles[name], digits));
  return key === "median" && quantiles.median_high !== null ? `${shown(key)} (${shown("median_low")}–${shown("median_high")})` : shown(key);
}

/** Return the number that `text` writes; the text itself if it is none, for the gateway to refuse. */
export function figure(text) {
  const value = Number(text.trim());
  return Number.isNaN(value) ? text : value;
}

const percentage = (text) => (Number.isNaN(Number(text)) ? text : Number((Number(text) / 100).toPrecision(12)));
