// The shell: header, banner, the view that the address names. A view is a module views/NAME.js with
//   export const heading = "draw.heading";             the dictionary's key of its heading, for the title too
//   export function open(place, route)                 renders into the element `place`, returns
//   { render(), follow(route), close() }               again in another language; the address changed; it is left
// and a stylesheet css/NAME.css. To add one, name it in route.js' VIEWS and the dictionaries as nav.NAME.
import { html, nothing, render } from "../vendor/lit-html-3.3.3/lit-html.js";
import * as connection from "./connection.js";
import { LANGUAGES, chooseLanguage, current, loadLanguage, t } from "./i18n.js";
import { unloaded } from "./resource.js";
import { VIEWS, href, route } from "./route.js";

const THEMES = ["auto", "light", "dark"];
const A_YEAR = 31_536_000; // seconds

const main = document.querySelector("main");
let view = null; // what the view's open() returned
let opened = null; // its name
let module;

function header() {
  document.querySelector(".skip").textContent = t("nav.skip");
  render(
    html`
      <a class="brand" href=${href("draw")}>dropserve</a>
      <nav aria-label=${t("nav.label")}>
        ${VIEWS.map((name) => html`
          <a href=${href(name)} aria-current=${name === opened ? "page" : nothing}>${t(`nav.${name}`)}</a>`)}
        <a href="/docs">${t("nav.api")}</a>
      </nav>
      <label>${t("nav.language")}
        <select @change=${(event) => chooseLanguage(event.target.value).then(renderAll)}>
          ${Object.entries(LANGUAGES).map(([tag, name]) => html`
            <option value=${tag} lang=${tag} ?selected=${tag === current()}>${name}</option>`)}
        </select>
      </label>
      <label>${t("nav.theme")}
        <select @change=${(event) => chooseTheme(event.target.value)}>
          ${THEMES.map((name) => html`
            <option value=${name} ?selected=${name === theme()}>${t(`theme.${name}`)}</option>`)}
        </select>
      </label>
    `,
    document.querySelector("header"),
  );
  render(banner(connection.state()), document.querySelector("#banner"));
}

function banner({ kind, detail }) {
  if (kind === "ready") return nothing;
  return html`
    <p><strong>${t(`connection.${kind}`)}</strong> ${t("connection.retrying")}</p>
    <p class="detail" lang="en">${detail}</p>
  `;
}

function renderAll() {
  header();
  if (!view) return;
  document.title = `${t(module.heading)} – dropserve`;
  view.render();
}

const theme = () => document.documentElement.dataset.theme ?? "auto";

/** Change the theme; the cookie tells the server at the next visit, so that nothing flashes. */
function chooseTheme(chosen) {
  document.cookie = `theme=${chosen}; path=/; max-age=${A_YEAR}; samesite=lax`;
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  window.dispatchEvent(new Event("themechange"));
}

async function follow() {
  if (!VIEWS.includes(route().view)) location.replace(href(VIEWS[0]));
  const asked = route();
  if (asked.view === opened) return view?.follow(asked);
  const first = opened === null;
  opened = asked.view;
  const loading = Promise.all([import(`./views/${opened}.js`), stylesheet(opened)]);
  const [loaded] = await loading.catch(() => [{ heading: "state.unreachable", open: unloaded }]);
  if (asked.view !== opened) return; // somebody went on while it loaded
  leave();
  module = loaded;
  view = module.open(place(), route());
  renderAll();
  if (!first) main.querySelector("h1")?.focus(); // so that a screen reader reads on there
}

function leave() {
  view?.close();
  view = null;
  main.replaceChildren();
}

/** Return the new element of the view that is opened. */
function place() {
  const element = main.appendChild(document.createElement("div"));
  element.className = `view ${opened}`;
  return element;
}

/** Load a view's stylesheet, once. */
function stylesheet(name) {
  const href = new URL(`css/${name}.css`, import.meta.url).href;
  if ([...document.styleSheets].some((sheet) => sheet.href === href)) return;
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
  document.head.append(link);
  return new Promise((done) => (link.onload = link.onerror = done));
}

await loadLanguage();
connection.events.addEventListener("changed", header);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => window.dispatchEvent(new Event("themechange")));
window.addEventListener("hashchange", follow);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // its #main is no view
  main.focus();
});
await follow();
connection.watch();
