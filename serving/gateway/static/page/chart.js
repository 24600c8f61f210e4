// Line charts as inline SVG. `chart({ label, caption, x, y, lines, rules, marks })` shows a <figure>: the picture, a
// legend, the caption, and a table of the data to unfold.
//   x, y    { label, format(value), ticks: [values], log: true }     ticks span the axis; beyond lies on its edge
//   lines   [{ name, points: [[x, y]], band: [[x, low, high]] }]     band is optional; at most six lines
//   rules   [{ y, label }]                                           level lines, such as a threshold
//   marks   [{ x, label }]                                           moments, such as that of a decision
// `ticks(low, high)` gives round values that span what is to be shown.
// Colours are the stylesheet's --series-1 … -6 (classes series-1 …), so themes need no drawing anew; lines differ by dash
// and marker too.
import { html, svg } from "../vendor/lit-html-3.3.3/lit-html.js";
import { t } from "./i18n.js";

const HEIGHT = 300;
const MARGIN = { top: 12, right: 24, bottom: 40, left: 56 };
const MOST_MARKERS = 30; // of a line; more would hide it
const DASHES = ["none", "7 3", "2 3", "9 3 2 3", "14 4", "1 5"];
const MARKERS = ["M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0", "M-4,-4h8v8h-8z", "M0,-5L5,4H-5z", "M0,-5L5,0L0,5L-5,0z", "M-4,-4L4,4M4,-4L-4,4", "M-5,0H5M0,-5V5"];

export function chart({ label, caption, x, y, lines, rules = [], marks = [] }) {
  const width = Math.min(720, Math.max(320, document.documentElement.clientWidth - 32)); // text is as large on a phone
  const at = {
    x: scale(x, MARGIN.left, width - MARGIN.right),
    y: scale(y, HEIGHT - MARGIN.bottom, MARGIN.top),
  };
  return html`
    <figure class="chart">
      <svg viewBox="0 0 ${width} ${HEIGHT}" width=${width} height=${HEIGHT} role="img" aria-label=${label}>
        ${axes(x, y, at, width)}
        ${rules.map((rule) => level(rule, at, width))}
        ${marks.map((mark) => moment(mark, at, width))}
        ${lines.map((each, i) => line(each, i, at))}
      </svg>
      <ul class="legend">${lines.map(({ name }, i) => html`<li>${sample(i)} ${name}</li>`)}</ul>
      <figcaption>${caption}</figcaption>
      <details><summary>${t("chart.data")}</summary>${table(x, y, lines)}</details>
    </figure>
  `;
}

/** Return some five round values, the first at most `low`, the last at least `high`, which is above it. */
export function ticks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough);
  const [first, last] = [Math.floor(low / step), Math.ceil(high / step)];
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

function scale({ ticks, log }, from, to) {
  const along = log ? Math.log : (value) => value;
  const [first, last] = [along(ticks[0]), along(ticks.at(-1))];
  const share = (value) => Math.min(1, Math.max(0, (along(value) - first) / (last - first)));
  return (value) => Math.round(10 * (from + share(value) * (to - from))) / 10;
}

function axes(x, y, at, width) {
  const [right, bottom] = [width - MARGIN.right, HEIGHT - MARGIN.bottom];
  return svg`
    <g class="axis">
      ${y.ticks.map((tick) => svg`<path d=${`M${MARGIN.left},${at.y(tick)}H${right}`} />
        <text x=${MARGIN.left - 6} y=${at.y(tick) + 4} text-anchor="end">${y.format(tick)}</text>`)}
      ${x.ticks.map((tick) => svg`<path d=${`M${at.x(tick)},${bottom}v4`} />
        <text x=${at.x(tick)} y=${bottom + 17} text-anchor="middle">${x.format(tick)}</text>`)}
      <text x=${(MARGIN.left + right) / 2} y=${HEIGHT - 4} text-anchor="middle">${x.label}</text>
      <text transform=${`translate(12,${(MARGIN.top + bottom) / 2}) rotate(-90)`} text-anchor="middle">${y.label}</text>
    </g>
  `;
}

function level({ y, label }, at, width) {
  return svg`<g class="rule"><path d=${`M${MARGIN.left},${at.y(y)}H${width - MARGIN.right}`} />
    <text x=${width - MARGIN.right} y=${at.y(y) - 4} text-anchor="end">${label}</text></g>`;
}

function moment({ x, label }, at, width) {
  const end = at.x(x) > width / 2; // the side of the line on which there is room
  return svg`<g class="rule"><path d=${`M${at.x(x)},${MARGIN.top}V${HEIGHT - MARGIN.bottom}`} />
    <text x=${at.x(x) + (end ? -4 : 4)} y=${MARGIN.top + 10} text-anchor=${end ? "end" : "start"}>${label}</text></g>`;
}

function line({ points, band = [] }, i, at) {
  const path = (pairs) => pairs.map(([px, py], n) => `${n ? "L" : "M"}${at.x(px)},${at.y(py)}`).join("");
  const around = [...band.map(([px, low]) => [px, low]), ...band.map(([px, , high]) => [px, high]).reverse()];
  const marked = points.length <= MOST_MARKERS ? points : [points.at(-1)];
  return svg`
    <g class=${`series-${i + 1}`}>
      <path class="band" d=${path(around)} />
      <path class="line" d=${path(points)} stroke-dasharray=${DASHES[i]} />
      ${marked.map(([px, py]) => svg`<path class="marker" d=${MARKERS[i]} transform=${`translate(${at.x(px)},${at.y(py)})`} />`)}
    </g>
  `;
}

function sample(i) {
  return html`<svg class=${`series-${i + 1}`} width="40" height="12" viewBox="0 0 40 12" aria-hidden="true">
    <path class="line" d="M0,6H40" stroke-dasharray=${DASHES[i]} /><path class="marker" d=${MARKERS[i]} transform="translate(20,6)" />
  </svg>`;
}

function table(x, y, lines) {
  const steps = [...new Set(lines.flatMap(({ points }) => points.map(([px]) => px)))].sort((a, b) => a - b);
  const values = lines.map(({ points, band = [] }) => {
    const range = (low, high) => t("chart.range", { low: y.format(low), high: y.format(high) });
    const ranges = new Map(band.map(([px, low, high]) => [px, range(low, high)]));
    return new Map(points.map(([px, py]) => [px, [y.format(py), ranges.get(px)].filter(Boolean).join(" ")]));
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${y.label}><table>
    <thead><tr><th scope="col">${x.label}</th>${lines.map(({ name }) => html`<th scope="col" class="figure">${name}</th>`)}</tr></thead>
    <tbody>${steps.map((px) => html`<tr><th scope="row">${x.format(px)}</th>
      ${values.map((of) => html`<td class="figure">${of.get(px) ?? "–"}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}
