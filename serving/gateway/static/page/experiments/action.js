// What administrators can do with an experiment and its winner: the buttons, and the dialog that asks for a reason.
import { html } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { path, post } from "../api.js";
import { moment, percent, t } from "../i18n.js";
import { problem } from "../resource.js";

const STEPS = {
  draft: ["start", "archive"],
  running: ["pause", "stop", "reweight"],
  paused: ["resume", "stop", "reweight"],
  stopped: ["archive"],
  archived: [],
};
// What moves the default variant, and where to ask for it.
const WHERE = {
  promote: (variant) => path("variants", variant, "promote"),
  rollback: () => path("variants", "rollback"),
};

export class Action {
  act = null; // what the dialog asks about: "start" … "archive", "reweight", "promote" or "rollback"
  variant = null; // that is to be promoted
  seen = null; // the default and its revision, as the dialog shows them
  sending = false;
  error = null;
  done = null; // what was done last

  /** `promotions` is a Resource; `changed()` draws anew, `acted()` has to read what an act may have changed. */
  constructor(place, name, promotions, { changed, acted }) {
    Object.assign(this, { place, name, promotions, changed, acted });
  }

  /** Ask whether to do `act`, and why. */
  ask(act, variant = null) {
    Object.assign(this, { act, variant, seen: this.promotions.value, error: null });
    this.changed();
    this.place.querySelector("dialog").showModal();
  }

  async send() {
    const { act, variant } = this;
    const [where, body] = this.#call(new FormData(this.place.querySelector("#act")));
    Object.assign(this, { sending: true, error: null });
    this.changed();
    try {
      await post(where, body, { as: "admin" });
      this.done = { act, variant };
      this.place.querySelector("dialog").close();
    } catch (error) {
      this.error = error;
    }
    await this.acted();
    if (this.error?.status === 409) this.seen = this.promotions.value;
    this.sending = false;
    this.changed();
    if (!this.error) this.#focus();
  }

  /** Return where to send what the dialog's fields say, and as what. */
  #call(fields) {
    const { act, variant, seen, name } = this;
    const reason = fields.get("reason").trim() || undefined;
    const experiment = this.#won() ? name : undefined;
    if (act in WHERE) return [WHERE[act](variant), { reason, expected_revision: seen.revision, experiment }];
    if (act !== "reweight") return [path("experiments", name, act), { reason }];
    const weights = Object.fromEntries(this.arms.map(({ variant }) => [variant, Number(fields.get(`of-${variant}`))]));
    return [path("experiments", name, "weights"), { reason, weights, traffic: Number(fields.get("traffic")) }];
  }

  /** Say whether the variant that the dialog promotes displaces control, which ends the experiment. */
  #won() {
    const { act, variant, seen, control } = this;
    return act === "promote" && seen.default === control && variant !== control;
  }

  #closed(dialog) {
    if (dialog.open) return; // asked again before the browser told of the closing
    this.act = null; // so that the next dialog begins with fields of its own
    this.changed();
  }

  /** Put the focus back where the dialog was asked for; that button may be gone. */
  #focus() {
    if (document.activeElement === document.body) this.place.querySelector(".action h2").focus();
  }

  /** Show the buttons, the default variant, and what was done to it last; `evidence` is a sentence for the dialog. */
  template({ status, arms, traffic, control, hold_back: share = 0.05 }, { decision, comparisons }, evidence) {
    Object.assign(this, { status, arms, traffic, control, share });
    const variant = decision.recommendation === "ship" ? decision.variant : comparisons[0].variant;
    return html`
      <p class="said" role="status">${this.done ? t(`experiments.done.${this.done.act}`, this.done) : ""}</p>
      <p class="buttons">${STEPS[status].map((step) => html`
        <button type="button" @click=${() => this.ask(step)}>${t(`experiments.act.${step}`)}</button>`)}</p>
      ${this.promotions.value ? this.#default(this.promotions.value, variant) : ""}
      ${this.#dialog(evidence)}
    `;
  }

  #default({ default: name, promotions: [last] }, variant) {
    return html`
      <p>${t("experiments.default", { name })}</p>
      <p class="buttons">
        <button type="button" @click=${() => this.ask("promote", variant)}>${t("experiments.act.promote")}</button>
        ${last?.variant ? html`
          <button type="button" @click=${() => this.ask("rollback")}>${t("experiments.act.rollback")}</button>` : ""}
      </p>
      ${last ? html`<p class="note">${this.#line(last)}</p>` : ""}
    `;
  }

  #line({ action, variant, who, reason, at, revision }) {
    return t(`experiments.promotion.${action}`, {
      variant: variant ?? t("experiments.theOriginal"), who, at: moment(at), revision, reason: reason ?? "–",
    });
  }

  #dialog(evidence) {
    const { act, seen } = this;
    const moving = act in WHERE;
    const submitted = (event) => {
      event.preventDefault();
      this.send();
    };
    return html`
      <dialog aria-labelledby="asked" @close=${(event) => this.#closed(event.target)}>
        ${act === null ? "" : html`
          <h2 id="asked">${t(`experiments.act.${act}`)}</h2>
          <p>${t(`experiments.about.${act}`)}</p>
          ${moving ? html`
            <p>${t("experiments.revision", { name: seen.default, revision: seen.revision })}</p>
            <blockquote>${evidence}</blockquote>
            ${this.#won() && STEPS[this.status].includes("stop") ? html`<p>${t("experiments.about.ends")}</p>` : ""}
            ${this.#won() && this.share > 0 ? html`
              <p>${t("experiments.about.holdBack", { share: percent(this.share), control: this.control })}</p>` : ""}` : ""}
          <form id="act" @submit=${submitted}>
            ${act === "promote" ? html`
              <div class="field"><label for="promoted">${t("experiments.column.variant")}</label>
                <select id="promoted" @change=${(event) => this.#choose(event.target.value)}>
                  ${this.arms.map(({ variant }) => html`
                    <option value=${variant} ?selected=${variant === this.variant}>${variant}</option>`)}
                </select></div>` : ""}
            ${act === "reweight" ? this.#shares() : ""}
            <div class="field">
              <label for="reason">${t(moving ? "experiments.reason" : "experiments.reason.optional")}</label>
              <textarea id="reason" name="reason" rows="2" maxlength="2000" ?required=${moving}></textarea></div>
          </form>
          ${this.error ? problem(this.error, () => this.send()) : ""}
          <p class="buttons">
            <button form="act" class="primary" ?disabled=${this.sending}>${t(`experiments.act.${act}`)}</button>
            <button type="button" @click=${(event) => event.target.closest("dialog").close()}>
              ${t("experiments.cancel")}</button>
          </p>`}
      </dialog>
    `;
  }

  #choose(variant) {
    this.variant = variant;
    this.changed();
  }

  /** Show the fields of the weights, and of the share of the traffic. */
  #shares() {
    const field = (name, label, value) => html`
      <div class="field"><label for=${name}>${label}</label>
        <input id=${name} name=${name} type="number" min="0" max="1" step="any" value=${value} required></div>`;
    return [
      ...this.arms.map(({ variant, weight }) => field(`of-${variant}`, t("experiments.weightOf", { variant }), weight)),
      field("traffic", t("experiments.field.traffic"), this.traffic),
    ];
  }
}
