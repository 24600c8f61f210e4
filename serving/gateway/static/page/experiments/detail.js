// One experiment: its verdict, the evidence, whether that can be trusted, and what can be done.
import { html, render } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { path } from "../api.js";
import { exact, moment, number, t } from "../i18n.js";
import { Resource, shown } from "../resource.js";
import { href } from "../route.js";
import { Action } from "./action.js";
import { arms, differences, grounds, health, maturity, meters, sentence } from "./evidence.js";

const POLL_MS = 5000;

export function open(place, { steps: [name] }) {
  return new Detail(place, name);
}

class Detail {
  constructor(place, name) {
    const draw = () => this.render();
    const acted = () => Promise.all([this.experiment, this.report, this.promotions].map((each) => each.refresh()));
    Object.assign(this, { place, name });
    this.experiment = new Resource(path("experiments", name), draw);
    this.report = new Resource(path("experiments", name, "report"), () => this.reported());
    this.promotions = new Resource("/variants/promotions", draw);
    this.action = new Action(place, name, this.promotions, { changed: draw, acted });
    this.experiment.refresh();
    this.promotions.refresh();
    this.report.poll(POLL_MS);
  }

  breakdown = null; // loaded when it is unfolded

  async unfold() {
    const { Breakdown } = await import("./breakdown.js");
    if (!this.place) return; // it was left meanwhile
    this.breakdown ??= new Breakdown(this.name, () => this.render());
    this.breakdown.refresh();
  }

  follow() {}

  close() {
    for (const each of [this.experiment, this.report, this.promotions]) each.close();
    this.breakdown?.close();
    this.place = null;
  }

  /** Look at all of it again where the report tells that somebody, or the gateway itself, has done something. */
  reported() {
    const [now, known] = [this.report.value, this.experiment.value];
    const of = ({ status, phase, verdict }) => [status, phase, Boolean(verdict)].join();
    const moved = now && known && of(now) !== of(known);
    if (moved) for (const each of [this.experiment, this.promotions]) each.refresh();
    this.render();
  }

  render() {
    if (this.place) render(shown(this.experiment, (experiment) => this.template(present(experiment))), this.place);
  }

  template(experiment) {
    const { status, hypothesis } = experiment;
    return html`
      <p class="hypothesis"><span class="badge ${status}">${t(`experiments.status.${status}`)}</span> ${hypothesis}</p>
      ${shown(this.report, (report) => this.reportTemplate(experiment, report))}
      ${status === "draft" ? "" : html`
        <details class="breakdown" @toggle=${(event) => event.target.open && this.unfold()}>
          <summary>${t("experiments.breakdown")}</summary>
          ${this.breakdown?.template() ?? ""}
        </details>`}
      ${setup(experiment)}
      ${log(experiment)}
    `;
  }

  reportTemplate(experiment, report) {
    const verdict = sentence(report, experiment);
    return html`
      <section aria-labelledby="verdict">
        <h2 id="verdict">${t("experiments.verdict")}</h2>
        <p class="sentence ${report.decision.recommendation}" role="status">${verdict}</p>
        ${experiment.status === "draft" ? html`<p>${t("experiments.notStarted")}</p>` : grounds(report)}
        ${this.queue(experiment, report)}
      </section>
      ${differences(report, experiment)}
      <h2>${t("experiments.arms")}</h2>
      ${arms(report)}
      <div class="boxes">
        <section class="box" aria-labelledby="decision">
          <h2 id="decision">${t("experiments.decision")}</h2>
          ${meters(report)}
          <ul class="plain note" lang="en">${report.decision.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>
        </section>
        <section class="box" aria-labelledby="health">
          <h2 id="health">${t("experiments.health")}</h2>
          ${health(report)}
        </section>
        <section class="box" aria-labelledby="maturity">
          <h2 id="maturity">${t("experiments.maturity")}</h2>
          ${maturity(report)}
        </section>
        <section class="box action" aria-labelledby="action">
          <h2 id="action" tabindex="-1">${t("experiments.action")}</h2>
          ${this.action.template(experiment, report, verdict)}
        </section>
      </div>
    `;
  }

  /** Lead to the images that want a label. */
  queue({ paired, status }, { counts }) {
    if (!paired || ["draft", "archived"].includes(status)) return "";
    const link = href("experiments", this.name, "queue");
    return html`<p><a href=${link}>${t("experiments.toQueue", { waiting: number(counts.waiting) })}</a></p>`;
  }
}

/** Return an experiment with the weights and the traffic of its newest phase in place of those it was made with. */
function present(experiment) {
  const phase = experiment.phases.at(-1);
  if (!phase) return experiment;
  const arms = experiment.arms.map(({ variant }, i) => ({ variant, weight: phase.weights[i] }));
  return { ...experiment, arms, traffic: phase.traffic };
}

function setup({ control, arms, paired, traffic, alpha, margin, max_labels: most, guardrails, on_decision: then, ...rest }) {
  const guards = guardrails.map(({ metric, margin, threshold_ms: ms }) =>
    t(`experiments.guard.${metric}`, { margin: exact(margin), ms: number(ms ?? 0) }));
  const facts = {
    control,
    arms: arms.map(({ variant, weight }) => `${variant} ${exact(weight)}`).join(", "),
    design: t(`experiments.design.${paired ? "paired" : "split"}`),
    traffic: exact(traffic),
    alpha: number(alpha, 4),
    margin: number(margin, 5),
    max_labels: number(most),
    guardrails: guards.join("; ") || "–",
    promote: t(`experiments.then.${then}`),
    min_days: number(rest.min_days ?? 0, 2),
    min_units: number(rest.min_units ?? 0),
    maturity_days: number(rest.maturity_days ?? 0, 2),
    layer: rest.layer ? `${rest.layer} (${exact(traffic)})` : "–",
    hold_back: exact(rest.hold_back ?? 0.05),
    on_regression: t(`experiments.then.${rest.on_regression === "roll_back" ? "promote" : "notify"}`),
    ...(rest.follows ? { follows: html`<a href=${href("experiments", rest.follows)}>${rest.follows}</a>` } : {}),
  };
  return html`
    <details><summary>${t("experiments.setup")}</summary>
      <dl>${Object.entries(facts).map(([name, fact]) => html`
        <dt>${t(`experiments.field.${name}`)}</dt><dd>${fact}</dd>`)}</dl>
    </details>
  `;
}

function log({ log }) {
  return html`
    <details><summary>${t("experiments.log")}</summary>
      <ol class="plain">${log.map(({ at, who, key, action, reason }) => html`
        <li>${moment(at)} <strong>${who}</strong>${key && key !== who ? ` (${key})` : ""} ${action}${reason ? `: ${reason}` : ""}</li>`)}</ol>
    </details>
  `;
}
