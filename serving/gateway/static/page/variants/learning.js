// Show how far learning from labels is: labels, the newest candidate, what the gate measured, its experiment.
import { html } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { moment, number, percent, t } from "../i18n.js";
import { href } from "../route.js";

/** Show GET /learning's answer, and the newest of the variants that learned from labels; nothing where none are kept. */
export function learning(kept, variants, experiments) {
  const candidate = variants.findLast(({ training }) => training.labels);
  if (!kept.most && !kept.labelled && !candidate) return "";
  return html`
    <section class="learning" aria-labelledby="learning">
      <h2 id="learning">${t("variants.learning")}</h2>
      <dl>
        <dt>${t("variants.learning.labels")}</dt>
        <dd>${collected(kept)}</dd>
        <dt>${t("variants.learning.candidate")}</dt>
        <dd>${candidate ? taught(candidate) : t("variants.learning.none")}</dd>
        ${candidate ? [gate(candidate), experiment(candidate, experiments)] : ""}
      </dl>
    </section>
  `;
}

function collected({ most, labelled, units, waiting, labels, sources }) {
  const byLabel = Object.entries(labels).sort(([a], [b]) => a.localeCompare(b));
  const teach = (sources.ground_truth ?? 0) + (sources.audit ?? 0);
  const counts = { most, labelled, units, waiting, teach };
  return html`
    ${t("variants.learning.collected", Object.fromEntries(Object.entries(counts).map(([k, n]) => [k, number(n)])))}
    <div class="note">${byLabel.map(([label, count]) => `${label}: ${number(count)}`).join(" · ")}</div>
  `;
}

function taught({ name, version, training: { labels } }) {
  const { images, units, from, to, exists } = labels;
  return html`
    <code>${name}</code> ${t("variants.learning.taught", {
      version, images: number(images), units: number(units), from: moment(from), to: moment(to) })}
    ${exists ? "" : html`<div class="note">${t("variants.learning.deleted")}</div>`}
  `;
}

function gate({ training: { gate } }) {
  if (!gate) return "";
  const [held, test] = [gate.held_out, gate.test].map(({ base_accuracy: before, accuracy: now }) =>
    ({ before: percent(before, 2), now: percent(now, 2) }));
  return html`
    <dt>${t("variants.learning.gate")}</dt>
    <dd>${t("variants.learning.held", { ...held, images: number(gate.held_out.images) })}
      ${t("variants.learning.test", test)}</dd>
  `;
}

function experiment({ name }, experiments) {
  const its = experiments.findLast(({ arms }) => arms.some(({ variant }) => variant === name));
  return html`
    <dt>${t("variants.learning.experiment")}</dt>
    <dd>${its ? html`<a href=${href("experiments", its.name)}>${its.name}</a>, ${t(`experiments.status.${its.status}`)}`
      : t("variants.learning.undrafted")}</dd>
  `;
}
