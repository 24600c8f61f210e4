// Which experiments there are, and how each stands.
import { html, render } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { t } from "../i18n.js";
import { Resource, shown } from "../resource.js";

const POLL_MS = 5000;

export function open(place) {
  const experiments = new Resource("/experiments", draw);
  experiments.poll(POLL_MS);

  function draw() {
    render(shown(experiments, list), place);
  }

  return { render: draw, follow: draw, close: () => experiments.close() };
}

function list({ experiments }) {
  if (experiments.length === 0) return html`<p class="empty">${t("experiments.none")}</p>`;
  return html`
    <ul>
      ${experiments.map(({ name, status, hypothesis }) => html`
        <li><code>${name}</code> <span class="badge">${t(`experiments.status.${status}`)}</span> ${hypothesis}</li>`)}
    </ul>
  `;
}
