// Test images as buttons, cut from one sprite: two rows of ten, 28×28 pixels each, column d shows a d.
import { html, svg } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { t } from "../i18n.js";

const SPRITE = new URL("../examples.png", import.meta.url).href;
const SIDE = 28;
const COLUMNS = 10;
const ROWS = 2;

/** Show the buttons; a click calls `chosen(blob)` with the image as PNG. */
export function examples(chosen) {
  const all = Array.from({ length: COLUMNS * ROWS }, (_, i) => ({ digit: i % COLUMNS, row: Math.floor(i / COLUMNS) }));
  return html`<div class="examples">${all.map(({ digit, row }) => html`
    <button type="button" aria-label=${t(row ? "draw.hardExample" : "draw.example", { digit })}
      @click=${async () => chosen(await cut(digit, row))}>
      <svg viewBox="${SIDE * digit} ${SIDE * row} ${SIDE} ${SIDE}" aria-hidden="true">
        ${svg`<image href=${SPRITE} width=${SIDE * COLUMNS} height=${SIDE * ROWS} />`}
      </svg>
    </button>`)}</div>`;
}

async function cut(digit, row) {
  const sprite = Object.assign(new Image(), { src: SPRITE });
  await sprite.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  canvas.getContext("2d").drawImage(sprite, -SIDE * digit, -SIDE * row);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
