// "It was a …": one click says what the picture really shows.
import { html } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { post } from "../api.js";
import { t } from "../i18n.js";
import { problem } from "../resource.js";

export class Feedback {
  given = null; // the label that was stored
  error = null;

  constructor(asking, changed) {
    Object.assign(this, { asking, changed });
  }

  /** Forget what was said of the picture before. */
  reset() {
    Object.assign(this, { given: null, error: null });
  }

  /** Say what the picture shows. */
  async give(label) {
    if (!this.asking.comparison || this.asking.stale || this.asking.several || !this.asking.classes.includes(label)) return;
    this.reset();
    const { signal } = this.asking.aborter;
    try {
      const prediction = await this.asking.predict();
      if (!prediction) return; // it was drawn on
      await post("/feedback", { prediction_id: prediction.predictions[0].id, label, source: "user" });
      if (!signal.aborted) this.given = label;
    } catch (error) {
      if (!signal.aborted) this.error = error;
    }
    this.changed();
  }

  thanks() {
    return this.given ? html`<p class="thanks">✓ ${t("draw.thanks", { label: this.given })}</p>` : "";
  }

  template() {
    const { prediction } = this.asking;
    const { label } = prediction?.predictions[0] ?? {};
    const who = prediction && { label, variant: prediction.variant, experiment: prediction.experiment };
    return html`
      <div class="feedback">
        <p class="who">${who ? t(who.experiment ? "draw.byExperiment" : "draw.by", who) : ""}</p>
        <div role="group" aria-label=${t("draw.itWas")}>
          <span>${t("draw.itWas")}</span>
          ${this.asking.classes.map((each) => html`
            <button type="button" aria-pressed=${each === this.given} @click=${() => this.give(each)}>${each}</button>`)}
        </div>
        ${this.error ? problem(this.error) : ""}
      </div>
    `;
  }
}
