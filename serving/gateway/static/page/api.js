// Calls of the gateway. `get(path)` and `post(path, body)` return the answer's JSON, or throw a Problem whose `detail`
// may be shown as it is. `body` is a Blob (an image) or a value for JSON. Options: `signal` (AbortSignal), `unit`
// (X-Unit-Id), `as: "admin"` for what only administrators may do, `as: "labeller"` for labels that decide. The token of
// a role is kept in this tab's session; on status 401 or 403 resource.js's `problem(error, again)` asks for it. Paths are
// built with `path("experiments", name)`, which encodes what it is given.
import * as connection from "./connection.js";

/** An answer other than success: RFC 9457's `status`, `title`, `detail` and `errors`; status 0 if none came. */
export class Problem extends Error {
  constructor({ status, title, detail, errors = [] }, as) {
    super(detail || title);
    Object.assign(this, { status, title, detail, errors, as }); // as: the role whose token was sent
  }
}

export const path = (...steps) => "/" + steps.map(encodeURIComponent).join("/");
export const get = (where, options = {}) => call("GET", where, undefined, options);
export const post = (where, body, options = {}) => call("POST", where, body, options);

/** Keep `token` as that of a role, "client", "labeller" or "admin", until the tab is closed. */
export const keepToken = (as, token) => sessionStorage.setItem(`dropserve-${as}`, token);

/** Return the token of a role, null if there is none; administrators may do what labellers may. */
export const tokenOf = (as) =>
  sessionStorage.getItem(`dropserve-${as}`) ?? (as === "labeller" ? tokenOf("admin") : null);

async function call(method, where, body, { signal, unit, as = "client" }) {
  const headers = { Accept: "application/json" };
  const token = tokenOf(as);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (unit) headers["X-Unit-Id"] = unit;
  if (body !== undefined) headers["Content-Type"] = body instanceof Blob ? body.type : "application/json";
  const sent = body === undefined || body instanceof Blob ? body : JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(where, { method, headers, body: sent, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw failed(new Problem({ status: 0, title: error.message }, as));
  }
  if (!answer.ok) throw failed(await problem(answer, as));
  connection.succeeded();
  return answer.json();
}

async function problem(answer, as) {
  const plain = { status: answer.status, title: answer.statusText || String(answer.status) };
  const said = await answer.json().catch(() => ({})); // a proxy's own page is no problem+json
  return new Problem({ ...plain, ...said }, as);
}

function failed(error) {
  if (error.status === 0 || [429, 502, 503, 504].includes(error.status)) connection.failed();
  return error;
}
