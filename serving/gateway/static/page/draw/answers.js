// What the variants say, side by side.
import { html, svg } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { current, number, percent, t } from "../i18n.js";
import { href } from "../route.js";

const DOUBTS = [[0.1, "sure"], [0.5, "fairly"], [1, "unsure"], [Infinity, "guessing"]]; // entropy in nats, up to

/** Return the label that most variants give, null where no label leads. */
export function majority(variants) {
  const votes = new Map();
  for (const { label } of variants) votes.set(label, (votes.get(label) ?? 0) + 1);
  const [first, second] = [...votes].sort((a, b) => b[1] - a[1]);
  return first[1] === second?.[1] ? null : first[0];
}

/** Return one sentence that tells what the variants say. */
export function sentence({ agree, variants }) {
  const label = majority(variants);
  if (agree) return t("draw.all", { count: variants.length, label });
  const dissent = variants.filter((each) => each.label !== label);
  const said = dissent.map((each) => t("draw.says", { variant: each.variant, label: each.label }));
  const others = new Intl.ListFormat(current()).format(said);
  if (label === null) return t("draw.none", { others });
  return t("draw.most", { count: variants.length - dissent.length, all: variants.length, label, others });
}

/** Return one sentence that tells the digits of a picture, from left to right. */
export function digitsSentence(digits) {
  const labels = digits.map(({ variants }) => majority(variants) ?? "?");
  return t("draw.several", { count: digits.length, labels: labels.join(" ") });
}

// What an answer's detail says of a picture that is not read, and the sentence about it.
const UNREAD = [
  [415, /./, "format"],
  [413, /./, "large"],
  [422, /is blank/, "blank"],
  [422, /damaged|cut off/, "damaged"],
  [422, /is no .* image/, "other"],
];

/** Return why a picture was not read, null for other problems. */
export function unread({ status, detail }) {
  const found = UNREAD.find(([of, text]) => status === of && text.test(detail));
  return found ? t(`draw.unread.${found[2]}`) : null;
}

/** Show a card for each variant of a comparison, in its order. */
export function cards({ variants }, classes, doubts, answering) {
  const label = majority(variants);
  const titled = (answer) => ({ ...answer, agrees: answer.label === label, answers: answer.variant === answering });
  return variants.map((answer) => card(titled(answer), classes, doubts[answer.variant]));
}

function card({ variant, version, label, confidence, probabilities, milliseconds, agrees, answers }, classes, doubt) {
  return html`
    <article class="answer ${agrees ? "agrees" : "differs"}" aria-label=${variant}>
      <h3><a href=${href("variants", variant)}>${variant}</a></h3>
      <p class="said"><strong>${label}</strong> <span>${percent(confidence)}</span>
        <span class="badge">${agrees ? `= ${t("draw.agrees")}` : `≠ ${t("draw.differs")}`}</span></p>
      <ol class="bars">
        ${probabilities.map((p, at) => html`
          <li class=${classes[at] === label ? "top" : ""}><span>${classes[at]}</span>
            <svg aria-hidden="true" preserveAspectRatio="none">${svg`<rect width=${`${100 * p}%`} height="100%"/>`}</svg>
            <span>${percent(p)}</span></li>`)}
      </ol>
      <p class="note">${t("draw.took", { milliseconds: number(milliseconds, 1), version })}
        ${answers ? html`<span class="badge answers">${t("draw.answers")}</span>` : ""}</p>
      ${doubt ? html`<p class="note doubt">${uncertainty(doubt)}</p>` : ""}
    </article>
  `;
}

function uncertainty({ entropy, mutual_information }) {
  const [, word] = DOUBTS.find(([most]) => entropy < most);
  return t(`draw.doubt.${word}`, { entropy: number(entropy, 3), information: number(mutual_information, 3) });
}
