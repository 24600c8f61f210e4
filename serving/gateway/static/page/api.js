// Calls of the gateway. `get(path)` and `post(path, body)` return the answer's JSON, or throw a Problem whose `detail`
// may be shown as it is. `body` is a Blob (an image) or a value for JSON. Options: `signal` (AbortSignal), `unit`
// (X-Unit-Id), and `as`, the role: "client" for predictions, "reader" for what is read, "labeller" for labels that decide
// and their images, "admin" for what only administrators may do. The token of a role is kept in this tab's session; on
// status 401 or 403 resource.js's `problem(error, again)` asks for it. Gateways without keys ask clients and readers for
// none, and count wrong ones, so these roles send theirs only after the gateway has asked. Paths are built with
// `path("experiments", name)`, which encodes what it is given.
import * as connection from "./connection.js";

/** An answer other than success: RFC 9457's `status`, `title`, `detail` and `errors`; status 0 if none came. */
export class Problem extends Error {
  constructor({ status, title, detail, errors = [] }, as) {
    super(detail || title);
    Object.assign(this, { status, title, detail, errors, as }); // as: the role whose token was sent
  }
}

export const path = (...steps) => "/" + steps.map(encodeURIComponent).join("/");
export const get = (where, options = {}) => call("GET", where, undefined, { as: "reader", ...options });
export const post = (where, body, options = {}) => call("POST", where, body, options);

// Whose tokens open what a role does, beside its own.
const OTHERS = { client: ["labeller", "admin"], reader: ["labeller", "admin"], labeller: ["admin"], admin: [] };

const LONGEST_MS = 60_000; // that an answer may take

const asked = new Set(); // roles whose token the gateway has asked for

/** Keep `token` as that of a role until the tab is closed. */
export const keepToken = (as, token) => sessionStorage.setItem(`dropserve-${as}`, token);

/** Return the token of a role, or another's that opens the same; null if there is none. */
export const tokenOf = (as) =>
  [as, ...OTHERS[as]].map((role) => sessionStorage.getItem(`dropserve-${role}`)).find((token) => token) ?? null;

async function call(method, where, body, options) {
  const { as = "client" } = options;
  const open = method === "GET" || as === "client"; // where the gateway has no keys
  const given = open && !asked.has(as) ? null : tokenOf(as);
  try {
    return await send(method, where, body, options, given);
  } catch (error) {
    if (error.status === 401) asked.add(as);
    const token = tokenOf(as);
    if (error.status !== 401 || given || !token) throw error;
    return send(method, where, body, options, token);
  }
}

async function send(method, where, body, { signal, unit, as = "client" }, token) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (unit) headers["X-Unit-Id"] = unit;
  if (body !== undefined) headers["Content-Type"] = body instanceof Blob ? body.type : "application/json";
  const sent = body === undefined || body instanceof Blob ? body : JSON.stringify(body);
  const late = AbortSignal.timeout(LONGEST_MS);
  let answer, content;
  try {
    answer = await fetch(where, { method, headers, body: sent, signal: signal ? AbortSignal.any([signal, late]) : late });
    if (answer.ok) content = await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw failed(new Problem({ status: 0, title: error.message }, as));
  }
  if (!answer.ok) throw failed(await problem(answer, as));
  connection.succeeded();
  return content;
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
