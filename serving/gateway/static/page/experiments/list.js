// Which experiments there are, and how each stands.
import { html, render } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { listed, t } from "../i18n.js";
import { Resource, shown } from "../resource.js";
import { NEW, href } from "../route.js";

const POLL_MS = 5000;
const ALARMS = ["unhealthy", "guardrail_broken"]; // which override a verdict

export function open(place) {
  const experiments = new Resource("/experiments", draw);
  experiments.poll(POLL_MS);

  function draw() {
    render(
      html`<p><a class="button" href=${href("experiments", NEW)}>${t("experiments.heading.create")}</a></p>
        ${shown(experiments, list)}`,
      place,
    );
  }

  return { render: draw, follow: draw, close: () => experiments.close() };
}

function list({ experiments }) {
  if (experiments.length === 0) return html`<p class="empty">${t("experiments.none")}</p>`;
  return html`<ul class="cards">${experiments.toReversed().map(card)}</ul>`;
}

function card(experiment) {
  const { name, status, hypothesis } = experiment;
  return html`
    <li class="card">
      <h2><a href=${href("experiments", name)}>${name}</a></h2>
      <p><span class="badge ${status}">${t(`experiments.status.${status}`)}</span>
        <strong>${word(experiment)}</strong></p>
      <p>${hypothesis}</p>
      <p class="note">${runs(experiment)}</p>
    </li>
  `;
}

/** Return the verdict in a word or two, or the alarm at the stop. A decision without them is of a withdrawn verdict. */
function word({ status, verdict, decision }) {
  const alarm = ALARMS.includes(decision?.recommendation) ? decision : null;
  const { recommendation, variant } = alarm ?? verdict ?? { recommendation: "continue" };
  return status === "draft" ? "" : t(`experiments.word.${recommendation}`, { variant });
}

function runs({ arms, control, paired }) {
  const others = arms.map(({ variant }) => variant).filter((variant) => variant !== control);
  return t(paired ? "experiments.runs.paired" : "experiments.runs.split", { challengers: listed(others), control });
}
