// Whether the models answer. Api.js tells of calls that succeeded or failed; after a failure this asks /readyz again and
// again, ever more rarely, and sends "recovered" when a retry is worth while. `connection.events` is an EventTarget with
// "changed" (look at `state()`) and "recovered"; a view that shows an error tries again on "recovered" (Resource does).

const HEALTHY_MS = 10_000; // between looks while all is well and the page is visible
const FIRST_MS = 1000;
const LONGEST_MS = 8000;

export const events = new EventTarget();

let now = { kind: "ready", detail: "" };
let wait = FIRST_MS;
let timer;
let retry = false;

/** Return `{ kind, detail }`: kind is "ready", "models" (they do not answer) or "gateway" (cannot be reached). */
export const state = () => now;

/** Begin to watch. */
export function watch() {
  schedule(HEALTHY_MS);
  document.addEventListener("visibilitychange", () => schedule(document.hidden ? HEALTHY_MS : 0));
}

/** Tell that a call was answered. */
export function succeeded() {
  wait = FIRST_MS;
}

/** Tell that a call failed in a way that may pass. */
export function failed() {
  if (retry) return;
  retry = true;
  if (now.kind === "ready") look(); // say at once whose fault it is; retries wait
  schedule(wait);
}

function schedule(delay) {
  clearTimeout(timer);
  timer = setTimeout(tick, delay);
}

async function tick() {
  if (document.hidden) return schedule(HEALTHY_MS);
  const wasReady = now.kind === "ready";
  await look();
  if (now.kind !== "ready") {
    retry = true;
    wait = Math.min(2 * wait, LONGEST_MS);
    return schedule(wait / 2);
  }
  schedule(HEALTHY_MS);
  if (retry || !wasReady) {
    retry = false;
    wait = Math.min(2 * wait, LONGEST_MS); // a success sets it back
    events.dispatchEvent(new Event("recovered"));
  }
}

async function look() {
  const found = await readiness();
  if (found.kind === now.kind && found.detail === now.detail) return;
  now = found;
  events.dispatchEvent(new Event("changed"));
}

async function readiness() {
  try {
    const answer = await fetch("/readyz", { headers: { Accept: "application/json" } });
    if (answer.ok) return { kind: "ready", detail: "" };
    return { kind: "models", detail: (await answer.json()).detail ?? "" };
  } catch {
    return { kind: "gateway", detail: "" };
  }
}
