// Where the page is: `#/VIEW/STEP/STEP?name=value`. `route()` reads it, `href("experiments", name)` writes a link to it,
// `go(...)` goes there. The shell opens views/VIEW.js and calls the view's `follow(route)` when only the rest changes.
// It is the page's first script, for it knows what else will be wanted.

export const VIEWS = ["draw", "variants", "experiments"]; // the first is shown where the address names none

/** The step that follows "experiments" in the address of the form for a new one; no experiment's name has a hyphen. */
export const NEW = "new-experiment";

/** Return `{ view, steps, query }` of the address; `view` is "" where there is none. */
export function route() {
  const [where, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...steps] = where.split("/").map(decoded);
  return { view, steps: steps.filter(Boolean), query: new URLSearchParams(query) };
}

/** Return the link to a view, the steps within it and, as the last argument, an object for the query. */
export function href(view, ...rest) {
  const query = typeof rest.at(-1) === "object" ? "?" + new URLSearchParams(rest.pop()) : "";
  return `#/${[view, ...rest].map(encodeURIComponent).join("/")}${query}`;
}

/** Go to the place that `href` would link to. */
export function go(...where) {
  location.hash = href(...where);
}

/** Return which part of the experiments is shown, PART of experiments/PART.js. */
export function partOf({ steps: [name, step] }) {
  if (!name) return "list";
  if (name === NEW) return "create";
  return step === "queue" ? "queue" : "detail";
}

function decoded(step) {
  try {
    return decodeURIComponent(step);
  } catch {
    return step; // a lone % that somebody typed
  }
}

// What the modules that show a place import, beside what page.html loads.
const IMPORTS = {
  "views/draw": ["draw/answers", "draw/asking", "draw/examples", "draw/feedback", "draw/pad"],
  "views/variants": ["chart", "variants/learning"],
  "experiments/create": ["experiments/plan"],
  "experiments/detail": ["chart", "experiments/action", "experiments/evidence"],
  "experiments/queue": ["experiments/labels", "experiments/outbox"],
};

/** Load at once all that the first place is made of; else every module would wait for the one that imports it. */
function preload() {
  const first = route();
  const view = VIEWS.includes(first.view) ? first.view : VIEWS[0];
  const shown = [`views/${view}`, ...(view === "experiments" ? [`experiments/${partOf(first)}`] : [])];
  const modules = shown.flatMap((name) => [name, ...(IMPORTS[name] ?? [])]);
  hint({ rel: "preload", as: "style" }, `css/${view}.css`);
  for (const name of modules) hint({ rel: "modulepreload" }, `${name}.js`);
}

function hint(kind, where) {
  document.head.append(Object.assign(document.createElement("link"), kind, { href: new URL(where, import.meta.url).href }));
}

preload();
