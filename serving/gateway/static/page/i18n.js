// The words of the page. `t("key", { name: value })` gives the sentence of the chosen language with `{name}` filled in;
// `number`, `percent`, `moment` and `listed` write as that language does. Every key stands in i18n/en.js and i18n/zh.js
// (a test compares them); a dictionary is plain JSON behind `export default`, a key a line.
// Call t() while rendering, never at import: the shell renders again when the language changes.

export const LANGUAGES = { en: "English", zh: "中文" };
const A_YEAR = 31_536_000; // seconds

let words = {};

/** Return the language in use, a key of LANGUAGES. */
export const current = () => document.documentElement.lang;

/** Load the words of the language that the server chose. */
export async function loadLanguage() {
  ({ default: words } = await import(`./i18n/${current()}.js`));
}

/** Change to `chosen`; the cookie tells the server at the next visit. */
export async function chooseLanguage(chosen) {
  document.cookie = `language=${chosen}; path=/; max-age=${A_YEAR}; samesite=lax`;
  document.documentElement.lang = chosen;
  await loadLanguage();
}

/** Return the sentence called `key`, with `values` in its places. */
export function t(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Write `value` with at most `digits` places after the point. */
export function number(value, digits = 0) {
  return new Intl.NumberFormat(current(), { maximumFractionDigits: digits }).format(value);
}

/** Write a share such as 0.981 as a percentage with `digits` places after the point. */
export function percent(value, digits = 1) {
  const places = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(current(), { style: "percent", ...places }).format(value);
}

/** Write a share that somebody has set as a percentage with the places that it has, at most four. */
export function exact(value) {
  return new Intl.NumberFormat(current(), { style: "percent", maximumFractionDigits: 4 }).format(value);
}

/** Write names as a list: all of them, or as a "disjunction" any. */
export const listed = (names, type = "conjunction") => new Intl.ListFormat(current(), { type }).format(names);

/** Write a moment, given as ISO 8601 has it, in the reader's time zone. */
export function moment(iso) {
  return new Intl.DateTimeFormat(current(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));
}
