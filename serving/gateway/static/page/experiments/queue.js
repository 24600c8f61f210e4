// The label queue of an experiment: one image at a time on which its variants disagree, in the gateway's order, which is
// random: any choice of images would sway the verdict. So skipping only moves on in this view. What the variants said is
// shown when the label is stored; whoever knew it before would be swayed.
import { html, render } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { path, tokenOf } from "../api.js";
import { number, t } from "../i18n.js";
import { Resource, problem, shown, tokenForm } from "../resource.js";
import { UNREADABLE, refused, stored } from "./labels.js";
import { outboxOf } from "./outbox.js";

const STYLE = new URL("../css/queue.css", import.meta.url).href;
const POLL_MS = 5000;
const WANTED = 50; // images in an answer that were not skipped
const MOST = 100; // that the gateway lists
const SHOWN = 5; // labels that were stored last

const skips = new Map(); // experiment → the prediction ids that were skipped since the page was opened

export function open(place, { steps: [name] }) {
  return new Queue(place, name);
}

class Queue {
  image = null; // the one that is looked at; it stays until something is said of it
  last = null; // { image, label } of the last decision that can be taken back; label is null if it was skipped
  looking = false; // whether there are more images than were listed
  said = null; // what t() is to be called with, to tell what was done last

  constructor(place, name) {
    if (!skips.has(name)) skips.set(name, new Set());
    Object.assign(this, { place, name, skipped: skips.get(name) });
    this.outbox = outboxOf(name);
    this.outbox.changed = () => this.render();
    this.experiment = new Resource(path("experiments", name), () => this.render(), "labeller");
    this.variants = new Resource("/variants", () => this.render());
    this.queue = new Resource(this.listed(), () => this.read(), "labeller");
    this.variants.refresh();
    this.experiment.poll(POLL_MS);
    this.queue.poll(POLL_MS);
  }

  follow() {}

  close() {
    for (const each of [this.experiment, this.variants, this.queue]) each.close();
    this.outbox.changed = () => {};
    this.outbox.release();
  }

  /** Return where the images are listed: the skipped ones, which come first, and as many others as there can be. */
  listed() {
    return `${path("experiments", this.name, "disagreements")}?limit=${Math.min(MOST, WANTED + this.skipped.size)}`;
  }

  /** Take over what the gateway says waits. */
  read() {
    this.looking = false;
    this.image ??= this.next();
    this.render();
  }

  /** Return the first image of which nothing has been said. */
  next() {
    return this.queue.value?.disagreements.find((image) => !this.decided(image)) ?? null;
  }

  decided({ prediction_id: id }) {
    return this.skipped.has(id) || this.outbox.given.has(id);
  }

  /** Say what the image shows. */
  label(label) {
    if (!this.image) return;
    this.outbox.hold(this.image, label);
    this.decide(label);
    this.say(label === UNREADABLE ? "queue.saidUnreadable" : "queue.said", { label });
  }

  skip() {
    if (!this.image) return;
    this.outbox.release();
    this.skipped.add(this.image.prediction_id);
    this.decide(null);
    this.say("queue.passed");
  }

  decide(label) {
    this.last = { image: this.image, label };
    this.image = this.next();
    this.queue.where = this.listed();
    if (this.image) return;
    this.looking = true;
    this.queue.refresh();
  }

  /** Take the last decision back, unless its label is on its way. */
  undo() {
    const { last, outbox } = this;
    if (!last || (last.label !== null && outbox.held?.image !== last.image)) return this.say("queue.nothing");
    if (last.label === null) this.skipped.delete(last.image.prediction_id);
    else outbox.takeBack();
    Object.assign(this, { image: last.image, last: null });
    this.say("queue.back");
  }

  /** Begin anew with what was skipped. */
  again() {
    this.skipped.clear();
    this.last = null;
    this.image = this.next();
    this.say("queue.passedAgain");
  }

  /** Tell what has been done. */
  say(key, values) {
    this.said = [key, { ...values, left: number(this.left) }];
    this.render();
    this.keepFocus();
  }

  /** How many images wait of which nothing has been said. */
  get left() {
    const { waiting, disagreements } = this.queue.value;
    return waiting - disagreements.filter((image) => this.decided(image)).length;
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const key = event.key.toLowerCase();
    if (this.variants.value.classes.includes(event.key)) this.label(event.key);
    else if (key === "s" || key === "arrowright") this.skip();
    else if (key === "u") this.label(UNREADABLE);
    else if (key === "z") this.undo();
    else return;
    event.preventDefault();
  }

  /** Give the keys to the task where nothing else on the page has them. */
  keepFocus() {
    const { activeElement } = document;
    if (activeElement === document.body || activeElement.matches("h1")) {
      this.place.querySelector(".task")?.focus({ preventScroll: true });
    }
  }

  render() {
    const first = !this.place.querySelector(".task");
    render(
      html`<link rel="stylesheet" href=${STYLE}>
        ${shown(this.variants, ({ classes }) => shown(this.queue, () => this.template(classes)))}`,
      this.place,
    );
    if (first) this.keepFocus();
  }

  template(classes) {
    const { outbox, skipped } = this;
    const counts = { labelled: outbox.given.size - outbox.refused.length, skipped: skipped.size, left: this.left };
    const figures = Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, number(count)]));
    return html`
      <p>${t("queue.lead")}</p>
      <p class="progress">${t("queue.progress", figures)}</p>
      <div class="desk">
        <div class="task" tabindex="0" role="application" aria-label=${t("queue.task")} aria-describedby="keys"
          @keydown=${(event) => this.pressed(event)}>
          ${this.image ? this.asked(classes) : this.empty()}
          <div class="tools">
            ${this.image ? html`
              <button type="button" @click=${() => this.label(UNREADABLE)}>${t("queue.unreadable")}</button>
              <button type="button" @click=${() => this.skip()}>${t("queue.skip")}</button>` : ""}
            <button type="button" @click=${() => this.undo()}>${t("queue.undo")}</button>
          </div>
        </div>
        <div>
          <p role="status" class="sentence">${this.said ? t(...this.said) : ""}</p>
          <p id="keys" class="note">${t("queue.keys")}</p>
          ${this.image && !outbox.error && !tokenOf("labeller") ? this.locked() : ""}
          ${outbox.error ? html`<p>${t("queue.unsent", { count: number(outbox.unsent.length) })}</p>` : ""}
          ${outbox.error ? problem(outbox.error, () => outbox.send()) : ""}
          ${outbox.refused.length > 0 ? refused(outbox.refused) : ""}
          ${outbox.stored.length > 0 ? stored(outbox.stored.slice(0, SHOWN)) : ""}
        </div>
      </div>
    `;
  }

  /** Say that labels need a token, and ask for it. */
  locked() {
    const given = () => {
      this.render();
      this.keepFocus();
    };
    return html`<div class="locked"><p>${t("queue.locked")}</p>${tokenForm("labeller", given)}</div>`;
  }

  asked(classes) {
    return html`
      <img src=${this.image.seen} width="280" height="280" alt=${t("queue.image")}>
      <div class="classes" role="group" aria-label=${t("queue.itIs")}>
        ${classes.map((name) => html`<button type="button" @click=${() => this.label(name)}>${name}</button>`)}
      </div>
    `;
  }

  empty() {
    const { paired, status } = this.experiment.value ?? {};
    if (status === "archived") return html`<p class="empty">${t("queue.archived")}</p>`;
    if (this.looking) return html`<p class="loading">${t("state.loading")}</p>`;
    const skipped = this.queue.value.disagreements.filter((image) => this.skipped.has(image.prediction_id)).length;
    if (skipped > 0) {
      const counts = { skipped: number(skipped), left: number(this.left) };
      return html`<p class="empty">${t(this.left > 0 ? "queue.firstSkipped" : "queue.onlySkipped", counts)}
        <button type="button" @click=${() => this.again()}>${t("queue.again")}</button></p>`;
    }
    return html`<p class="empty">${t(paired === false ? "queue.unpaired" : "queue.empty")}</p>`;
  }
}
