// What a report says: the verdict as a sentence, the chart, the arms, and how sure all that is.
import { html } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { chart, ticks } from "../chart.js";
import { exact, listed, moment, number, percent, t } from "../i18n.js";
import { href } from "../route.js";

const CLEAR_FROM = 0.1; // share of the labels before which a range is too wide to set the chart's height
const SMALLEST_P = 0.0001; // that is written out
const ARM_COLUMNS = ["variant", "accuracy", "labelled", "weight", "units", "p50", "p99", "errors"];

const sentences = (one, next) => t("experiments.sentences", { one, next });
const points = (share) => number(100 * share, 2); // percentage points
const interval = ([low, high]) => t("experiments.interval", { low: points(low), high: points(high) });
const controlOf = ({ arms }) => arms.find(({ control }) => control).variant;

/** Return the verdict as one sentence that needs no statistics; figures are of the moment when it was reached. */
export function sentence(report, { margin, max_labels: most }) {
  const { recommendation, variant } = report.decision;
  const control = controlOf(report);
  const all = report.arms.map((arm) => arm.variant);
  const names = { variant, control, any: listed(all, "disjunction"), all: listed(all) };
  const values = { ...names, margin: points(margin), labels: number(most) };
  if (recommendation === "continue" && report.counts.labelled === 0) return t("experiments.sentence.none", values);
  const found = compared(report).find((comparison) => comparison.variant === variant);
  const said = t(`experiments.sentence.${recommendation}`, values);
  // With labels of users the difference and its interval are not those that decided.
  const informed = report.comparisons.find((comparison) => comparison.variant === variant)?.volunteered > 0;
  if (!found?.diff || informed || !["ship", "roll_back"].includes(recommendation)) return said;
  const diff = points(Math.abs(found.diff));
  const [low, high] = found.cs ?? [0, 0];
  if (low <= 0 && high >= 0) return sentences(said, t(`experiments.estimate.${recommendation}`, { diff }));
  const cs = found.diff < 0 ? [-high, -low] : [low, high];
  return sentences(said, t(`experiments.by.${recommendation}`, { diff, interval: interval(cs) }));
}

/** Return the comparisons of the moment when the verdict was reached, else the present ones. */
function compared({ verdict, history, comparisons }) {
  return history.find(({ labelled }) => labelled === verdict?.labelled)?.comparisons ?? comparisons;
}

/** Show when and by what the verdict was reached, or what is still wanted. */
export function grounds(report) {
  const { verdict } = report;
  const comparisons = deciding(report);
  if (!verdict) return html`${comparisons.map((each) => html`<p>${outlook(each, report)}</p>`)}`;
  const { recommendation, variant, at, labelled } = verdict;
  const values = {
    at: moment(at),
    labels: number(labelled),
    word: t(`experiments.word.${recommendation}`, { variant }),
    rule: t(`experiments.rule.${recommendation}`, { threshold: number(comparisons[0].e_threshold) }),
  };
  return html`<p>${t("experiments.latched", values)}</p>
    ${report.overturned ? html`<p class="bad">${t("experiments.overturned")}</p>` : ""}`;
}

/** Return the comparisons with the evidence that decides: of a hold-back, that against the promotion alone. */
function deciding({ comparisons, regression }) {
  if (!regression) return comparisons;
  const { e_value, e_threshold, p_anytime } = regression;
  return comparisons.map((comparison) => ({ ...comparison, e_value, e_threshold, p_anytime }));
}

/** Return how much evidence there is, and how much more would do. */
function outlook(comparison, { design, regression }) {
  const { variant, vs, e_value: e, e_threshold: threshold, cases_to_go: cases, firsts } = comparison;
  const kind = t(`experiments.cases.${design}`, { variant, control: vs });
  const evidence = t("experiments.evidence", { variant, e: number(e, e < 10 ? 2 : 0), threshold: number(threshold) });
  if (regression) return t("experiments.evidence.against", { e: number(e, e < 10 ? 2 : 0), threshold: number(threshold) });
  const deciding = firsts ?? [comparison.variant_errors, comparison.control_errors]; // no labels of users
  const seen = deciding.some((count) => count > 0);
  const key = cases === null ? (seen ? "far" : "noCases") : cases === 0 ? "enough" : "toGo";
  return sentences(evidence, t(`experiments.outlook.${key}`, { kind, cases: number(cases ?? 0) }));
}

/** Show how near the evidence of each comparison is to what decides. */
export function meters(report) {
  return deciding(report).map(({ variant, vs, e_value: e, e_threshold: threshold, p_anytime: p }) => {
    const share = Math.min(1, Math.max(0, Math.log(e) / Math.log(threshold)));
    const figures = {
      e: e < 1e6 ? number(e, 2) : e.toExponential(1),
      threshold: number(threshold),
      p: p < SMALLEST_P ? `< ${number(SMALLEST_P, 4)}` : `= ${number(p, 4)}`,
    };
    return html`
      <p class="meter"><span>${t("experiments.comparison", { variant, control: vs })}</span>
        <meter min="0" max="1" value=${share} aria-label=${t("experiments.meter", { variant })}></meter>
        <span class="note">${t("experiments.meter.said", figures)}</span></p>
    `;
  });
}

/** Chart the differences from control with their confidence sequences as labels came in. */
export function differences(report, { margin, alpha }) {
  const { counts, comparisons, history, verdict } = report;
  const now = { labelled: counts.labelled, comparisons };
  const looks = history.filter(({ labelled }) => labelled < counts.labelled).concat(now);
  const lines = comparisons.map(({ variant }, i) => {
    const all = looks.map(({ labelled, comparisons }) => ({ labelled, ...comparisons[i] }));
    const known = all.filter(({ diff }) => diff !== null);
    return {
      name: variant,
      points: known.map(({ labelled, diff }) => [labelled, diff]),
      band: known.filter(({ cs }) => cs).map(({ labelled, cs }) => [labelled, ...cs]),
    };
  });
  if (counts.labelled === 0 || lines.every(({ points }) => points.length === 0)) return "";
  const shown = lines.flatMap(({ points, band }) => [...points, ...band]);
  const late = shown.filter(([labelled]) => labelled >= CLEAR_FROM * counts.labelled);
  const reach = late.flatMap(([, ...values]) => values).concat(-2 * margin, 2 * margin);
  const confidence = exact(1 - alpha);
  return chart({
    label: t("experiments.chart.label"),
    caption: t("experiments.chart.caption", { confidence, margin: points(margin) }),
    x: { label: t("experiments.chart.labels"), ticks: ticks(0, counts.labelled), format: (n) => number(n) },
    y: {
      label: t("experiments.chart.difference"),
      ticks: ticks(Math.min(...reach), Math.max(...reach)),
      format: points,
    },
    lines,
    rules: [{ y: margin, label: t("experiments.chart.equal") }, { y: 0, label: "" }, { y: -margin, label: "" }],
    marks: verdict ? [{ x: verdict.labelled, label: t("experiments.chart.decided") }] : [],
  });
}

/** Show the arms, with a word on where their labels come from. */
export function arms({ arms, labels, notes }) {
  const all = labels.ground_truth + labels.audit + labels.user;
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label=${t("experiments.arms")}>
      <table>
        <caption>${t("experiments.arms.caption")}</caption>
        <thead><tr>${ARM_COLUMNS.map((name) => html`
          <th scope="col" class=${name === "variant" ? "" : "figure"}>${t(`experiments.column.${name}`)}
            ${name === "labelled" && labels.user ? html`<div class="note biased">
              ${t("experiments.biased", { user: number(labels.user), all: number(all) })}</div>` : ""}</th>`)}</tr></thead>
        <tbody>${arms.map(arm)}</tbody>
      </table>
    </div>
    ${notes.map((note) => html`<p class="note" lang="en">${note}</p>`)}
  `;
}

function arm({ variant, control, weight, units, n, accuracy, ci, p50_ms: p50, p99_ms: p99, error_rate: errors }) {
  const range = ci && t("chart.range", { low: percent(ci[0], 2), high: percent(ci[1], 2) });
  return html`
    <tr>
      <th scope="row"><a href=${href("variants", variant)}>${variant}</a>
        ${control ? html`<span class="badge">${t("experiments.control")}</span>` : ""}</th>
      <td class="figure">${written(accuracy, (share) => percent(share, 2))} <span class="note">${range ?? ""}</span></td>
      <td class="figure">${number(n)}</td>
      <td class="figure">${written(weight, exact)}</td>
      <td class="figure">${number(units)}</td>
      <td class="figure">${written(p50, (ms) => number(ms, 1))}</td>
      <td class="figure">${written(p99, (ms) => number(ms, 1))}</td>
      <td class="figure">${written(errors, (share) => percent(share, 2))}</td>
    </tr>
  `;
}

const written = (value, format) => (value === null ? "–" : format(value));

/** Show whether the figures can be trusted, and what the variants cost. */
export function health({ checks, guardrails }) {
  const line = (ok, text) => html`<li class=${ok ? "good" : "bad"}>${ok ? "●" : "▲"}\u00a0${text}</li>`;
  return html`
    <ul class="plain">
      ${Object.entries(checks).map(([name, check]) => line(check.ok, checked(name, check)))}
      ${guardrails.map(({ metric, variant, threshold_ms: ms, state, comparable, variant_count: more, control_count: fewer }) => {
        const counts = { ms: number(ms ?? 0), more: number(more), fewer: number(fewer) };
        const what = t(`experiments.guarded.${metric}`, { variant, ...counts });
        const found = comparable ? state : "apart";
        return line(found === "ok", t(`experiments.guardrail.${found}`, { what }));
      })}
    </ul>
    ${guardrails.length ? "" : html`<p class="note">${t("experiments.noGuardrails")}</p>`}
  `;
}

function checked(name, { ok, e, share }) {
  if (name === "stand_ins") return t(ok ? "experiments.standIns.ok" : "experiments.standIns.bad", { share: percent(share) });
  const values = { what: t(`experiments.check.${name}`), e: number(e, 2) };
  return t(ok ? "experiments.check.ok" : "experiments.check.bad", values);
}

const days = (value) => number(value, value < 0.1 ? 3 : 1);

/** Show whether the labels are in yet: how late they come, how many are expected, and what a verdict waits for. */
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
