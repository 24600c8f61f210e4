// Whether the models answer. api.js tells of calls that succeeded or failed. After a failure this asks /readyz again and
// again, ever more rarely, and sends "recovered" when a retry is worth while. `events` is an EventTarget with "changed"
// (look at `state()`) and "recovered": a view that shows an error tries again then (a Resource does so by itself).

const OPENED_MS = 3000; // until the first look, so that it takes nothing from what the page loads
const HEALTHY_MS = 10_000; // between looks while all is well and the page is visible
const FIRST_MS = 1000;
const LONGEST_MS = 8000;
const LOOK_MS = 10_000; // that a look may take: an answer that comes later is none

export const events = new EventTarget();

let now = { kind: "ready", detail: "" };
let failing = false; // something failed, and nobody has been told to try again since
let wait = FIRST_MS;
let timer;

/** Return `{ kind, detail }`: kind is "ready", "models" (they do not answer) or "gateway" (cannot be reached). */
export const state = () => now;

/** Begin to watch. */
export function watch() {
  schedule(OPENED_MS);
  document.addEventListener("visibilitychange", () => document.hidden || schedule(0));
}

/** Have everything that failed try again. */
export const retry = () => events.dispatchEvent(new Event("recovered"));

/** Tell that a call was answered. */
export function succeeded() {
  if (!failing) wait = FIRST_MS;
}

/** Tell that a call failed in a way that may pass. */
export function failed() {
  if (failing) return;
  failing = true;
  look(); // whose fault it is can be said at once
  schedule(longer());
}

/** Return how long to wait now, and wait twice as long the next time. */
function longer() {
  const delay = wait;
  wait = Math.min(2 * wait, LONGEST_MS);
  return delay;
}

function schedule(delay) {
  clearTimeout(timer);
  timer = setTimeout(tick, delay);
}

async function tick() {
  if (document.hidden) return schedule(HEALTHY_MS);
  await look();
  const recovered = failing && now.kind === "ready";
  failing = now.kind !== "ready";
  schedule(failing ? longer() : HEALTHY_MS);
  if (recovered) retry();
}

async function look() {
  const found = await readiness();
  if (found.kind === now.kind && found.detail === now.detail) return;
  now = found;
  events.dispatchEvent(new Event("changed"));
}

async function readiness() {
  try {
    const signal = AbortSignal.timeout(LOOK_MS);
    const answer = await fetch("/readyz", { headers: { Accept: "application/json" }, signal });
    if (answer.ok) return { kind: "ready", detail: "" };
    return { kind: "models", detail: summary(await answer.json()) };
  } catch {
    return { kind: "gateway", detail: "" };
  }
}

/** Say what is wrong with the variants, of those that it is the same with in one sentence. */
function summary({ detail = "", errors = [] }) {
  if (errors.length === 0) return detail;
  const alike = Object.groupBy(errors, (fault) => fault.detail);
  const names = (faults) => faults.map(({ pointer }) => pointer.split("/").at(-1)).join(", ");
  return Object.entries(alike).map(([what, faults]) => `${names(faults)}: ${what}`).join(" ");
}
