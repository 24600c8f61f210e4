// Draw a digit, or give a picture of one, and see what every variant says.
import { html, render } from "../../vendor/lit-html-3.3.3/lit-html.js";
import * as connection from "../connection.js";
import { Asking } from "../draw/asking.js";
import { cards, digitsSentence, sentence, unread } from "../draw/answers.js";
import { examples } from "../draw/examples.js";
import { Feedback } from "../draw/feedback.js";
import { Pad } from "../draw/pad.js";
import { t } from "../i18n.js";
import { problem } from "../resource.js";

export const heading = "draw.heading";

let kept = { strokes: [], picture: null }; // while another view is open

export function open(place) {
  return new Draw(place);
}

class Draw {
  constructor(place) {
    this.place = place;
    this.asking = new Asking(() => this.answered());
    this.feedback = new Feedback(this.asking, () => this.render());
    this.recovered = () => this.asking.error && this.asking.again();
    connection.events.addEventListener("recovered", this.recovered);
    this.pasted = (event) => this.take([...event.clipboardData.files]);
    document.addEventListener("paste", this.pasted);
  }

  follow() {}

  close() {
    this.asking.close();
    kept = this.pad.drawn;
    this.pad.close();
    document.removeEventListener("paste", this.pasted);
    connection.events.removeEventListener("recovered", this.recovered);
  }

  render() {
    render(this.template(), this.place);
    if (this.pad) return;
    this.pad = new Pad(this.place.querySelector("canvas"), () => this.drawn());
    this.pad.restore(kept);
  }

  /** Show what came, and on the picture where it was found. */
  answered() {
    const { stale, error, digits, several } = this.asking;
    if (!stale && !error && (several || this.pad?.picture)) {
      this.pad.mark(digits.map(({ box }) => box).filter((box) => box));
    }
    this.render();
  }

  /** Show the first picture among some files. */
  take(files) {
    const picture = files.find((file) => file.type.startsWith("image/"));
    if (picture) this.pad.show(picture);
  }

  dropped(event) {
    event.preventDefault(); // or the browser would go to the picture
    this.take([...event.dataTransfer.files]);
  }

  picked(event) {
    this.take([...event.target.files]);
    event.target.value = ""; // so that the same file can be picked again
  }

  drawn() {
    this.feedback.reset();
    this.asking.ask(this.pad.empty ? null : () => this.pad.image());
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") this.pad.clear();
    else if (event.key.toLowerCase() === "z") this.pad.undo();
    else if (/^\d$/.test(event.key)) this.feedback.give(event.key);
    else return;
    event.preventDefault();
  }

  template() {
    return html`
      <h1 tabindex="-1">${t("draw.heading")}</h1>
      <section class="input" aria-label=${t("draw.input")}>${this.input()}</section>
      <section class="output" aria-label=${t("draw.output")}>${this.output()}</section>
      <section class="others">
        <h2>${t("draw.examples")}</h2>
        ${examples((blob) => this.pad.show(blob))}
      </section>
    `;
  }

  input() {
    return html`
      <canvas tabindex="0" role="application" aria-label=${t("draw.pad")} aria-describedby="keys"
        @keydown=${(event) => this.pressed(event)}
        @dragover=${(event) => event.preventDefault()}
        @drop=${(event) => this.dropped(event)}></canvas>
      <div class="tools">
        <button type="button" @click=${() => this.pad.undo()}>${t("draw.undo")}</button>
        <button type="button" @click=${() => this.pad.clear()}>${t("draw.clear")}</button>
        <label class="button">${t("draw.pick")}
          <input type="file" accept="image/*" @change=${(event) => this.picked(event)}>
        </label>
      </div>
      <p id="keys" class="note">${t("draw.keys")}</p>
    `;
  }

  output() {
    const { comparison, stale, error } = this.asking;
    return html`
      <div role="status" aria-atomic="false">
        <p class="sentence">${this.sentence()}</p>
        ${this.feedback.thanks()}
      </div>
      ${error && unread(error) ? html`<p class="unread">${unread(error)}</p>` : ""}
      ${error ? problem(error, () => this.asking.again()) : ""}
      ${comparison ? html`<div class=${stale ? "stale" : ""} aria-busy=${stale}>${this.compared()}</div>` : ""}
      ${comparison || error || !this.pad?.empty ? "" : html`<p class="empty">${t("draw.empty")}</p>`}
    `;
  }

  /** Return what is to be said aloud. */
  sentence() {
    const { comparison, digits, several, stale, error } = this.asking;
    if (comparison && !stale) return several ? digitsSentence(digits) : sentence(comparison);
    return stale && !error ? t("draw.asking") : "";
  }

  compared() {
    const { comparison, digits, several, prediction, classes, doubts } = this.asking;
    if (several) {
      return html`<ol class="digits">${digits.map((digit, at) => html`
        <li class="seen"><img src=${digit.seen} width="112" height="112" alt=${t("draw.seen.alt")}>
          <p>${t("draw.nth", { nth: at + 1 })} ${sentence(digit)}</p></li>`)}</ol>`;
    }
    return html`
      <div class="verdict">
        <figure class="seen"><img src=${comparison.seen} width="224" height="224" alt=${t("draw.seen.alt")}>
          <figcaption>${t("draw.seen")}</figcaption></figure>
        ${this.feedback.template()}
      </div>
      <h2>${t("draw.side")}</h2>
      <div class="cards">${cards(comparison, classes, doubts, prediction?.variant)}</div>
    `;
  }
}
