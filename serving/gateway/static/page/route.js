// Where the page is: `#/VIEW/STEP/STEP?name=value`. `route()` reads it, `href("experiments", name)` writes a link to it,
// `go(...)` goes there. The shell opens views/VIEW.js and calls the view's `follow(route)` when only the rest changes.

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

function decoded(step) {
  try {
    return decodeURIComponent(step);
  } catch {
    return step; // a lone % that somebody typed
  }
}
