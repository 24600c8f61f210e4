// Labels that the gateway has answered about, as an outbox keeps them.
import { html } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { t } from "../i18n.js";

/** Show labels that were stored, and what the variants had said. */
export function stored(labels) {
  return html`
    <h2>${t("queue.stored")}</h2>
    <ol class="given">${labels.map(({ image, label }) => html`
      <li>${thumbnail(image, label)} <ul>${image.answers.map((answer) => html`
        <li class=${answer.label === label ? "right" : "wrong"}>
          ${t(answer.label === label ? "queue.right" : "queue.wrong", answer)}</li>`)}</ul></li>`)}</ol>
  `;
}

/** Show labels that were not taken, and why. */
export function refused(labels) {
  return html`
    <div class="problem" role="alert">
      <p><strong>${t("queue.refused")}</strong></p>
      <ul class="given">${labels.map(({ image, label, detail }) => html`
        <li>${thumbnail(image, label)} <span>${detail}</span></li>`)}</ul>
    </div>
  `;
}

const thumbnail = ({ seen }, label) => html`<img src=${seen} width="56" height="56" alt=""> <strong>${label}</strong>`;
