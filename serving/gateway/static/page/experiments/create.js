// A form for a new experiment. What the gateway finds wrong is shown beside the field that its pointer leads to.
import { html, nothing, render } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { path, post } from "../api.js";
import { t } from "../i18n.js";
import { Resource, problem, shown } from "../resource.js";
import { go } from "../route.js";
import { Plan, figure } from "./plan.js";

const NUMBERS = {
  traffic: 1, alpha: 0.05, margin: 0.002, max_labels: 200000, min_days: 0, min_units: 0, maturity_days: 0, hold_back: 0.05,
}; // what they are unless changed
const ARM_COLUMNS = ["variant", "takesPart", "control", "weight"];
const GUARDRAILS = { error_rate: ["margin"], slow: ["margin", "threshold_ms"] };

let kept = null; // the fields of a form that was left

export function open(place) {
  return new Create(place);
}

class Create {
  error = null;
  places = {}; // JSON pointer → name of the field, as the form was sent

  constructor(place) {
    this.place = place;
    this.plan = new Plan(() => this.design(), () => this.render());
    this.variants = new Resource("/variants", () => this.render());
    this.variants.refresh();
  }

  follow() {}

  close() {
    const form = this.place.querySelector("#create");
    if (form && !this.made) kept = new FormData(form);
    this.variants.close();
    this.place = null;
  }

  render() {
    if (!this.place) return;
    render(shown(this.variants, (known) => this.template(known)), this.place);
    const form = this.place.querySelector("#create");
    if (form && kept) fill(form, kept);
    if (form) kept = null;
  }

  async send() {
    const form = this.place.querySelector("#create");
    const { spec, places } = written(new FormData(form));
    Object.assign(this, { places, error: null });
    try {
      await post(path("experiments"), spec, { as: "admin" });
      this.made = true;
      if (this.place) go("experiments", spec.name);
    } catch (error) {
      this.error = error;
      this.render();
      form.querySelector('[aria-invalid="true"]')?.focus();
    }
  }

  /** Return what a plan needs to know of the form. */
  design() {
    const { spec } = written(new FormData(this.place.querySelector("#create")));
    const { paired, alpha, margin, max_labels, arms, control } = spec;
    const known = { paired, alpha, margin, max_labels, arms: Math.max(2, arms.length) };
    const [variant] = arms.filter((arm) => arm.variant !== control);
    return paired || arms.length !== 2 ? known : { ...known, weight: variant.weight };
  }

  /** Return what is wrong with the field called `name`. */
  faults(name) {
    const found = this.error?.errors.filter(({ pointer }) => this.places[pointer] === name) ?? [];
    return found.map(({ detail }) => detail).join(" ");
  }

  /** Show a field with its label, a hint, and what is wrong with it; `words` names the sentences. */
  field(name, value, { number = false, words = name } = {}) {
    const faults = this.faults(name);
    const described = `${name}-hint ${faults ? `${name}-fault` : ""}`;
    return html`
      <div class="field">
        <label for=${name}>${t(`experiments.field.${words}`)}</label>
        <input id=${name} name=${name} value=${value} autocomplete="off" spellcheck="false"
          inputmode=${number ? "decimal" : nothing} aria-invalid=${faults ? "true" : nothing}
          aria-describedby=${described}>
        <p class="note" id=${`${name}-hint`}>${t(`experiments.hint.${words}`)}</p>
        ${this.fault(name)}
      </div>
    `;
  }

  fault(name) {
    const faults = this.faults(name);
    return faults ? html`<p class="fault" id=${`${name}-fault`}>▲ ${faults}</p>` : "";
  }

  template({ variants, default: answering }) {
    const challenger = variants.find(({ name }) => name !== answering)?.name;
    const submitted = (event) => {
      event.preventDefault();
      this.send();
    };
    return html`
      ${this.error ? problem(this.error, () => this.send()) : ""}
      <form id="create" novalidate @submit=${submitted}>
        ${this.field("name", "")}
        ${this.field("hypothesis", "")}
        <fieldset aria-describedby=${this.faults("arms") ? "arms-fault" : nothing}>
          <legend>${t("experiments.field.arms")}</legend>
          <table>
            <thead><tr>${ARM_COLUMNS.map((column) => html`
              <th scope="col">${t(`experiments.column.${column}`)}</th>`)}</tr></thead>
            <tbody>${variants.map(({ name }) => this.arm(name, { control: answering, challenger }))}</tbody>
          </table>
          ${this.fault("arms")}
          <p class="note">${t("experiments.hint.weight")}</p>
        </fieldset>
        <fieldset>
          <legend>${t("experiments.field.design")}</legend>
          ${["paired", "split"].map((design) => html`
            <label class="choice"><input type="radio" name="design" value=${design} ?checked=${design === "paired"}>
              ${t(`experiments.design.${design}`)}</label>`)}
        </fieldset>
        <details ?open=${this.wrongWithin()}>
          <summary>${t("experiments.advanced")}</summary>
          ${this.field("layer", "")}
          ${Object.entries(NUMBERS).map(([name, value]) => this.field(name, value, { number: true }))}
          ${Object.entries(GUARDRAILS).map(([metric, bounds]) => html`
            <fieldset>
              <legend>${t(`experiments.guardrail.${metric}`)}</legend>
              ${bounds.map((bound) =>
                this.field(`${metric}.${bound}`, "", { number: true, words: `guardrail_${bound}` }))}
            </fieldset>`)}
          <label class="choice"><input type="checkbox" name="promote"> ${t("experiments.field.promote")}</label>
          <label class="choice"><input type="checkbox" name="roll_back"> ${t("experiments.field.on_regression")}</label>
        </details>
        <p><button class="primary">${t("experiments.create")}</button></p>
      </form>
      ${this.plan.template()}
    `;
  }

  arm(variant, { control, challenger }) {
    const name = `weight-${variant}`;
    const faults = this.faults(name);
    return html`
      <tr>
        <th scope="row"><code>${variant}</code></th>
        <td><input type="checkbox" name="arm" value=${variant} ?checked=${[control, challenger].includes(variant)}
          aria-label=${t("experiments.takesPart", { variant })}></td>
        <td><input type="radio" name="control" value=${variant} ?checked=${variant === control}
          aria-label=${t("experiments.isControl", { variant })}></td>
        <td><input name=${name} inputmode="decimal" size="5" autocomplete="off"
          aria-label=${t("experiments.weightOf", { variant })} aria-invalid=${faults ? "true" : nothing}
          aria-describedby=${faults ? `${name}-fault` : nothing}>${this.fault(name)}</td>
      </tr>
    `;
  }

  /** Say whether something is wrong with a field that is folded away. */
  wrongWithin() {
    const bounds = Object.entries(GUARDRAILS).flatMap(([metric, each]) => each.map((bound) => `${metric}.${bound}`));
    return ["layer", ...Object.keys(NUMBERS), ...bounds].some((name) => this.faults(name));
  }
}

/** Fill in a form with the fields of another. */
function fill(form, fields) {
  for (const field of form.elements) {
    const given = fields.getAll(field.name);
    if (["checkbox", "radio"].includes(field.type)) field.checked = given.includes(field.value);
    else if (given.length) field.value = given[0];
  }
}

/** Return the spec that a form's `data` describes, and which JSON pointer leads to which field. */
function written(data) {
  const places = { "/name": "name", "/hypothesis": "hypothesis", "/control": "arms", "/arms": "arms", "": "arms" };
  const variants = data.getAll("arm");
  const weights = variants.map((variant) => data.get(`weight-${variant}`).trim());
  const equal = weights.every((weight) => weight === "");
  const arms = variants.map((variant, i) => {
    places[`/arms/${i}/weight`] = `weight-${variant}`;
    places[`/arms/${i}/variant`] = "arms";
    return { variant, weight: equal ? 1 / variants.length : figure(weights[i] || "0") };
  });
  const spec = {
    name: data.get("name").trim(),
    hypothesis: data.get("hypothesis").trim(),
    control: data.get("control"),
    arms,
    paired: data.get("design") === "paired",
    guardrails: [],
    on_decision: data.has("promote") ? "promote" : "notify",
    on_regression: data.has("roll_back") ? "roll_back" : "notify",
  };
  places["/layer"] = "layer";
  if (data.get("layer").trim()) spec.layer = data.get("layer").trim();
  for (const name of Object.keys(NUMBERS)) {
    places[`/${name}`] = name;
    if (data.get(name).trim()) spec[name] = figure(data.get(name));
  }
  for (const [metric, bounds] of Object.entries(GUARDRAILS)) {
    const given = bounds.filter((bound) => data.get(`${metric}.${bound}`).trim());
    if (given.length === 0) continue;
    const at = spec.guardrails.length;
    for (const bound of bounds) places[`/guardrails/${at}/${bound}`] = `${metric}.${bound}`;
    places[`/guardrails/${at}`] = `${metric}.${bounds.at(-1)}`;
    const values = given.map((bound) => [bound, figure(data.get(`${metric}.${bound}`))]);
    spec.guardrails.push({ metric, ...Object.fromEntries(values) });
  }
  return { spec, places };
}
