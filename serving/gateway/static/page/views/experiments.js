// The experiments: all of them, a new one, one of them, or its label queue. Below the heading stands a part of the
// view, a module experiments/PART.js with
//   export function open(place, route)     renders into the element `place`, returns
//   { render(), follow(route), close() }   again in another language; the query changed; it is left
import { html, render } from "../../vendor/lit-html-3.3.3/lit-html.js";
import * as connection from "../connection.js";
import { t } from "../i18n.js";
import { problem } from "../resource.js";
import { href, partOf, route as present } from "../route.js";

export const heading = "experiments.heading";

export function open(place, first) {
  const head = place.appendChild(document.createElement("div"));
  let shown = null; // the route whose part is shown, or being loaded
  let body = null; // the element of its part
  let part = null; // what the part's open() returned
  let missing = false; // the part could not be loaded

  function draw() {
    const [name] = shown.steps;
    const title = t(`experiments.heading.${partOf(shown)}`, { name });
    document.title = `${title} – dropserve`;
    render([trail(shown), html`<h1 tabindex="-1">${title}</h1>`], head);
    if (missing) render(problem({ status: 0 }, reload), body);
    part?.render();
  }

  async function show(route) {
    leave();
    [shown, missing] = [route, false];
    body = place.appendChild(document.createElement("div"));
    body.className = `part ${partOf(route)}`;
    draw();
    const loaded = await import(`../experiments/${partOf(route)}.js`).catch(() => null);
    if (shown !== route) return; // somebody went on while it loaded
    missing = !loaded;
    part = loaded?.open(body, present());
    draw();
    if (missing) connection.failed();
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

  const reload = () => missing && location.reload(); // a browser may hold on to a module that failed until then
  connection.events.addEventListener("recovered", reload);
  show(first);
  return {
    render: draw,
    follow,
    close() {
      connection.events.removeEventListener("recovered", reload);
      leave();
    },
  };
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
