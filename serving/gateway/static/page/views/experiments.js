// The experiments: all of them, a new one, one of them, or its label queue. Below the heading stands a part of the
// view, a module experiments/PART.js with
//   export function open(place, route)     renders into the element `place`, returns
//   { render(), follow(route), close() }   again in another language; the query changed; it is left
import { html, render } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { t } from "../i18n.js";
import { unloaded } from "../resource.js";
import { href, partOf, route as present } from "../route.js";

export const heading = "experiments.heading";

export function open(place, first) {
  const head = place.appendChild(document.createElement("div"));
  let shown = null; // the route whose part is shown, or being loaded
  let body = null; // the element of its part
  let part = null; // what the part's open() returned

  function draw() {
    const [name] = shown.steps;
    const title = t(`experiments.heading.${partOf(shown)}`, { name });
    document.title = `${title} – dropserve`;
    render([trail(shown), html`<h1 tabindex="-1">${title}</h1>`], head);
    part?.render();
  }

  async function show(route) {
    leave();
    shown = route;
    body = place.appendChild(document.createElement("div"));
    body.className = `part ${partOf(route)}`;
    draw();
    const loaded = await import(`../experiments/${partOf(route)}.js`).catch(() => ({ open: unloaded }));
    if (shown !== route) return; // somebody went on while it loaded
    part = loaded.open(body, present());
    draw();
  }

  function leave() {
    part?.close();
    body?.remove();
    part = shown = null;
  }

  function follow(route) {
    if (same(route, shown)) return part?.follow(route);
    show(route);
    head.querySelector("h1").focus(); // so that a screen reader reads on there
  }

  show(first);
  return { render: draw, follow, close: leave };
}

const same = (one, other) => one.steps.join("/") === other.steps.join("/");

/** Show the way back to what is above a part. */
function trail(route) {
  const part = partOf(route);
  if (part === "list") return "";
  const [name] = route.steps;
  return html`
    <nav class="trail" aria-label=${t("experiments.trail")}>
      <a href=${href("experiments")}>${t("experiments.heading")}</a>
      ${part === "queue" ? html`› <a href=${href("experiments", name)}>${name}</a>` : ""}
    </nav>
  `;
}
