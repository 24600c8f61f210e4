// Show the variants: how they were trained and tested, whether they answer, and how far a training run is.
import { html, nothing, render } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { chart } from "../chart.js";
import { number, percent, t } from "../i18n.js";
import { Resource, shown } from "../resource.js";
import { learning } from "../variants/learning.js";

const POLL_MS = 10_000;
const COLUMNS = ["variant", "accuracy", "ece", "state", "loss", "regularisation", "parameters", "version"];
const FIGURES = ["accuracy", "ece", "loss", "parameters", "version"];
const ERRORS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]; // ticks

export const heading = "variants.heading";

export function open(place, { steps }) {
  let [selected] = steps;
  const variants = new Resource("/variants", draw);
  const kept = new Resource("/learning", draw);
  const experiments = new Resource("/experiments", draw);
  const all = [variants, kept, experiments];
  all.forEach((each) => each.poll(POLL_MS));

  function draw() {
    render(
      html`<h1 tabindex="-1">${t("variants.heading")}</h1>
        ${shown(variants, (answer) => [
          table(answer, selected), training(answer.training), circle(answer), curves(answer.variants),
          study(answer.study)])}`,
      place,
    );
  }

  function circle(answer) {
    return kept.value && experiments.value
      ? learning(kept.value, answer.variants, experiments.value.experiments) : "";
  }

  return {
    render: draw,
    follow({ steps }) {
      [selected] = steps;
      draw();
    },
    close: () => all.forEach((each) => each.close()),
  };
}

function table({ variants, default: answering }, selected) {
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label=${t("variants.heading")}>
      <table>
        <caption>${t("variants.caption")}</caption>
        <thead><tr>${COLUMNS.map(column)}</tr></thead>
        <tbody>${variants.map((v) => row(v, v.name === answering, v.name === selected))}</tbody>
      </table>
    </div>
    <p class="note">${t("variants.note")}</p>
  `;
}

function column(name) {
  const kind = FIGURES.includes(name) ? "figure" : "";
  return html`<th scope="col" class=${kind}>${t(`variants.column.${name}`)}</th>`;
}

function row({ name, title, version, parameters, regularisation, test, live }, answers, selected) {
  return html`
    <tr class=${selected ? "selected" : ""} aria-current=${selected ? "true" : nothing}>
      <th scope="row">
        <code>${name}</code> ${answers ? html`<span class="badge">${t("variants.default")}</span>` : ""}
        <div class="note">${title}</div>
      </th>
      <td class="figure">${percent(test.accuracy, 2)}</td>
      <td class="figure">${number(test.ece, 4)}</td>
      <td>${state(live)}</td>
      <td class="figure">${number(test.loss, 4)}</td>
      <td>${regulariser(regularisation)}</td>
      <td class="figure">${number(parameters)}</td>
      <td class="figure">${live.version ?? version}</td>
    </tr>
  `;
}

function state({ state, detail }) {
  const good = state === "AVAILABLE";
  return html`
    <span class="state ${good ? "good" : "bad"}">${good ? "●" : "▲"} ${state}</span>
    <div class="note">${detail}</div>
  `;
}

/** Show the variants that a training run has yet to publish, and how far each is. */
function training(run) {
  if (!run) return "";
  const missing = run.variants.filter(({ state }) => state !== "published");
  return html`
    <section class="training" aria-labelledby="training">
      <h2 id="training">${t("variants.training")}</h2>
      <p>${t(`variants.training.${run.state}`)} <span lang="en">${run.detail}</span></p>
      <ul>${missing.map((variant) => progress(variant))}</ul>
    </section>
  `;
}

function progress({ name, title, done, steps }) {
  return html`
    <li>
      <code>${name}</code> <span class="note">${title}</span>
      <progress max=${steps} value=${done} aria-label=${t("variants.training.progress", { name })}></progress>
      ${t("variants.training.steps", { share: percent(done / steps, 0), done: number(done), steps: number(steps) })}
    </li>
  `;
}

function regulariser({ dropout, l2, weight_decay: decay }) {
  const parts = [];
  if (dropout) parts.push(t("variants.dropout", { ...dropout, rate: number(dropout.rate, 3) }));
  if (l2) parts.push(t("variants.l2", { l2: number(l2, 6) }));
  if (decay) parts.push(t("variants.decay", { decay: number(decay, 6) }));
  return parts.join(" + ") || t("variants.noRegularisation");
}

/** Show the error on the test images as training went on; by logarithm, or the end would be one flat line. */
function curves(variants) {
  const trained = variants.filter(({ history }) => history.length > 0);
  if (trained.length === 0) return "";
  const lines = trained.map(({ name, history }) => ({
    name,
    points: history.map(({ step, accuracy }) => [step, Math.max(1 - accuracy, ERRORS[0])]),
  }));
  const longest = Math.max(...lines.flatMap(({ points }) => points.map(([step]) => step)));
  const lowest = Math.min(0.5, ...lines.flatMap(({ points }) => points.map(([, error]) => error)));
  const steps = [0, 1, 2, 3, 4].map((quarter) => (quarter * Math.max(4, Math.ceil(longest / 1000) * 1000)) / 4);
  const below = ERRORS.findLastIndex((error) => error <= lowest);
  const format = (share) => percent(share, share < 0.1 ? 1 : 0);
  return html`
    <h2>${t("variants.curves")}</h2>
    ${chart({
      label: t("variants.curves.label"),
      caption: t("variants.curves.caption"),
      x: { label: t("variants.curves.step"), ticks: steps, format: (step) => number(step) },
      y: { label: t("variants.curves.error"), ticks: ERRORS.slice(below), format, log: true },
      lines,
    })}
  `;
}

/** Lead to the report of the study, if there is one. */
function study(where) {
  return where ? html`<p><a href=${where} download>${t("variants.study")}</a></p>` : "";
}
