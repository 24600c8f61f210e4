// What variants there are, how they were trained and tested, and whether they answer.
import { html, nothing, render } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { number, percent, t } from "../i18n.js";
import { Resource, shown } from "../resource.js";
import { curves } from "../variants/curves.js";

const POLL_MS = 10_000;

export const heading = "variants.heading";

export function open(place, { steps }) {
  let [selected] = steps;
  const variants = new Resource("/variants", draw);
  variants.poll(POLL_MS);

  function draw() {
    render(
      html`<h1 tabindex="-1">${t("variants.heading")}</h1>
        ${shown(variants, (answer) => (answer.variants.length ? [table(answer, selected), curves(answer.variants)] : html`<p class="empty">${t("variants.none")}</p>`))}`,
      place,
    );
  }

  return {
    render: draw,
    follow({ steps }) {
      [selected] = steps;
      draw();
    },
    close: () => variants.close(),
  };
}

function table({ variants, default: answering }, selected) {
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label=${t("variants.heading")}>
      <table>
        <caption>${t("variants.caption")}</caption>
        <thead><tr>${["variant", "regularisation", "parameters", "accuracy", "loss", "ece", "version", "state"].map((c) => html`<th scope="col">${t(`variants.column.${c}`)}</th>`)}</tr></thead>
        <tbody>${variants.map((v) => row(v, v.name === answering, v.name === selected))}</tbody>
      </table>
    </div>
    <p class="note">${t("variants.note")}</p>
  `;
}

function row({ name, title, version, parameters, regularisation, test, live }, answers, selected) {
  const good = live.state === "AVAILABLE";
  return html`
    <tr class=${selected ? "selected" : ""} aria-current=${selected ? "true" : nothing}>
      <th scope="row"><code>${name}</code> ${answers ? html`<span class="badge">${t("variants.default")}</span>` : ""}<br><span class="note">${title}</span></th>
      <td>${regulariser(regularisation)}</td>
      <td class="figure">${number(parameters)}</td>
      <td class="figure">${percent(test.accuracy, 2)}</td>
      <td class="figure">${number(test.loss, 4)}</td>
      <td class="figure">${number(test.ece, 4)}</td>
      <td class="figure">${live.version ?? version}</td>
      <td><span class="state ${good ? "good" : "bad"}">${good ? "●" : "▲"} ${live.state}</span>${live.detail ? html`<br><span class="note">${live.detail}</span>` : ""}</td>
    </tr>
  `;
}

function regulariser({ dropout, l2, weight_decay: decay }) {
  const parts = [];
  if (dropout) parts.push(t("variants.dropout", { kind: dropout.kind, rate: number(dropout.rate, 3), schedule: dropout.schedule }));
  if (l2) parts.push(t("variants.l2", { l2: number(l2, 6) }));
  if (decay) parts.push(t("variants.decay", { decay: number(decay, 6) }));
  return parts.join(" + ") || t("variants.noRegularisation");
}
