// Labels that the gateway has answered about, as an outbox keeps them.
import { html } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { t } from "../i18n.js";

/** The label that says that nobody can read the image. */
export const UNREADABLE = "unreadable";

const VERDICTS = { right: "queue.right", wrong: "queue.wrong", open: "queue.open" };

/** Show labels that were stored, and what the variants had said. */
export function stored(labels) {
  return html`
    <h2>${t("queue.stored")}</h2>
    <ol class="given">${labels.map(({ image, label, detail }) => html`
      <li>${thumbnail(image, label)} <ul>${image.answers.map((answer) => judged(answer, label))}</ul>
        ${detail ? html`<span class="note">${detail}</span>` : ""}</li>`)}</ol>
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

function judged(answer, label) {
  const verdict = label === UNREADABLE ? "open" : answer.label === label ? "right" : "wrong";
  return html`<li class=${verdict}>${t(VERDICTS[verdict], answer)}</li>`;
}

function thumbnail({ seen }, label) {
  const said = label === UNREADABLE ? t("queue.unreadable") : label;
  return html`<img src=${seen} width="56" height="56" alt=""> <strong>${said}</strong>`;
}
