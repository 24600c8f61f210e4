// What the variants say of a picture while it is being drawn. A moment after the last point all are compared; when the
// pen has rested longer, /predict is asked, whose answer feedback can be given on, and the variants that can tell how
// sure they are. Every new picture aborts the calls about the one before, so an old answer never replaces a newer one.
import { post } from "../api.js";
import { Resource } from "../resource.js";

const PAUSE_MS = 150;
const REST_MS = 600;
const SIGNATURE = "mc_dropout"; // what variants have that can tell how sure they are
const UNIT_KEPT = "dropserve-unit";

export class Asking {
  comparison = null; // the first result of POST /compare; of an earlier picture while `stale`
  digits = []; // all of its results: of a picture of several digits, one each from left to right, with its box
  prediction = null; // the answer of POST /predict, of this very picture
  doubts = {}; // variant → { entropy, mutual_information }, in nats
  stale = false;
  error = null;

  /** Call `changed()` whenever any of these changes. */
  constructor(changed) {
    this.changed = changed;
    this.known = new Resource("/variants", changed);
    this.known.refresh();
  }

  /** Ask about the image that `source()` promises; about nothing if it is null. */
  async ask(source) {
    this.aborter?.abort();
    const { signal } = (this.aborter = new AbortController());
    const drawing = source && this.stale && !this.error; // nothing new to show while the pen moves on
    this.source = source;
    Object.assign(this, { stale: source !== null, prediction: null, predicting: null, doubts: {}, error: null });
    if (!source) Object.assign(this, { comparison: null, digits: [] });
    if (!drawing) this.changed();
    if (!source) return;
    await pause(PAUSE_MS);
    if (signal.aborted) return;
    try {
      await this.#compare(signal);
      await pause(REST_MS - PAUSE_MS);
      if (!signal.aborted && !this.several) await Promise.all([this.predict(), this.#doubt(signal)]);
    } catch (error) {
      if (signal.aborted) return;
      this.error = error;
      this.changed();
    }
  }

  /** Whether the picture shows several digits, of which /predict takes none. */
  get several() {
    return this.digits.length > 1;
  }

  /** Ask again about the same picture. */
  again() {
    if (this.source) this.ask(this.source);
  }

  /** Return the answer of /predict about this picture, asking for it if that has not been done. */
  predict() {
    return (this.predicting ??= this.#predict(this.aborter.signal));
  }

  /** The names of the classes, in the order of the probabilities. */
  get classes() {
    return this.known.value?.classes ?? [];
  }

  close() {
    this.aborter?.abort();
    this.known.close();
  }

  async #compare(signal) {
    const { results } = await post("/compare?split=true", await this.source(), { signal });
    if (signal.aborted) return;
    Object.assign(this, { comparison: results[0], digits: results, stale: false });
    this.changed();
  }

  async #predict(signal) {
    const prediction = await post("/predict", await this.source(), { signal, unit: unit() });
    if (signal.aborted) return null;
    this.prediction = prediction;
    this.changed();
    return prediction;
  }

  async #doubt(signal) {
    const image = await this.source();
    const sampling = this.known.value?.variants.filter((v) => v.signatures.includes(SIGNATURE)) ?? [];
    const ask = async ({ name: variant }) => {
      const where = `/predict?${new URLSearchParams({ variant, uncertainty: true })}`;
      const { predictions } = await post(where, image, { signal });
      if (signal.aborted) return;
      this.doubts[variant] = predictions[0];
      this.changed();
    };
    await Promise.all(sampling.map(ask));
  }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Return who asks, the same at every visit, so that one arm of an experiment answers them all. */
function unit() {
  let kept = localStorage.getItem(UNIT_KEPT);
  if (!kept) {
    kept = Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(16)).join("");
    localStorage.setItem(UNIT_KEPT, kept);
  }
  return kept;
}
