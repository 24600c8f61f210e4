// Labels on their way to the gateway, those of one experiment. Of each source the gateway keeps the first label of an
// image, so the newest one is held back for a moment in which it can be taken back. What cannot be sent is kept, and sent
// again when the connection recovers, or a token is given; `outboxOf(name)` is the same until the page is left.
import { Problem, post } from "../api.js";
import * as connection from "../connection.js";

const HOLD_MS = 5000;
const MOST = 1000; // labels in one call
const SOURCE = "audit"; // somebody looked at the image who was not served its prediction
const AS = "labeller"; // the role that may send these
const BARRED = { 401: "Unauthorized", 403: "Forbidden" };

const outboxes = new Map();

/** Return the outbox of the experiment called `name`. */
export function outboxOf(name) {
  if (!outboxes.has(name)) outboxes.set(name, new Outbox());
  return outboxes.get(name);
}

class Outbox {
  given = new Set(); // the prediction ids of all that is here
  held = null; // { image, label }: the newest, not on its way yet
  unsent = []; // the oldest first
  stored = []; // the newest first; with a `detail` where a label of higher rank stays
  refused = []; // these have a `detail` too: why they will not be stored
  error = null; // the Problem of the last call
  changed = () => {}; // called after a call

  constructor() {
    connection.events.addEventListener("recovered", () => this.send());
    document.addEventListener("visibilitychange", () => document.hidden && this.release());
    window.addEventListener("beforeunload", (event) => {
      this.release();
      if (this.unsent.length > 0) event.preventDefault(); // the browser asks whether to lose them
    });
  }

  /** Take the label of an image, and send the one before it. */
  hold(image, label) {
    this.release();
    this.held = { image, label };
    this.given.add(image.prediction_id);
    this.timer = setTimeout(() => this.release(), HOLD_MS);
  }

  /** Drop the label that is held back. */
  takeBack() {
    clearTimeout(this.timer);
    this.given.delete(this.held.image.prediction_id);
    this.held = null;
  }

  /** Send the label that is held back. */
  release() {
    clearTimeout(this.timer);
    if (!this.held) return;
    this.unsent.push(this.held);
    this.held = null;
    this.send();
  }

  /** Send what has not been sent. */
  async send() {
    if (this.sending || this.unsent.length === 0) return;
    this.sending = true;
    const labels = this.unsent.slice(0, MOST);
    const items = labels.map(({ image, label }) => ({ prediction_id: image.prediction_id, label, source: SOURCE }));
    try {
      const answer = await post("/feedback", { items }, { as: AS });
      const barred = answer.items.find(({ status }) => status in BARRED); // one of them, and so all
      if (barred) throw new Problem({ ...barred, title: BARRED[barred.status] }, AS);
      answer.items.forEach(({ status, detail, kept }, i) => {
        if (status < 300) this.stored.unshift({ ...labels[i], detail: kept ? detail : "" });
        else this.refused.push({ ...labels[i], detail });
      });
      this.unsent.splice(0, labels.length);
      this.error = null;
    } catch (error) {
      this.error = error;
    }
    this.sending = false;
    this.changed();
    if (!this.error) this.send(); // what was added meanwhile
  }
}
