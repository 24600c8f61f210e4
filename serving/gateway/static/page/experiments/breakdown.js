// Where the variants differ: a table and a picture of the labelled images by their properties. Read once it is unfolded.
import { html, svg } from "../../vendor/lit-html-3.3.3/lit-html.js";
import { path } from "../api.js";
import { number, percent, t } from "../i18n.js";
import { Resource, shown } from "../resource.js";

const WIDTH = 320;
const ROW = 24; // height of a bar's row
const LABEL = 100; // width of the text beside the bars
const NAMES = { paired: ["only_control_right", "only_variant_right"], unpaired: ["variant_errors", "control_errors"] };

export class Breakdown {
  constructor(name, changed) {
    this.found = new Resource(path("experiments", name, "breakdown"), changed);
  }

  close() {
    this.found.close();
  }

  refresh() {
    this.found.refresh();
  }

  template() {
    return html`
        <p><strong>${t("experiments.breakdown.exploratory")}</strong> ${t("experiments.breakdown.lead")}</p>
        ${shown(this.found, ({ rows, design }) =>
          rows.length === 0 ? html`<p>${t("experiments.breakdown.none")}</p>` : groups(rows, design))}
    `;
  }
}

function groups(rows, design) {
  const variants = [...new Set(rows.map(({ variant }) => variant))];
  const dimensions = [...new Set(rows.map(({ dimension }) => dimension))];
  return variants.flatMap((variant) => dimensions.map((dimension) => {
    const found = rows.filter((row) => row.variant === variant && row.dimension === dimension);
    return found.length ? group(found, design, { variant, dimension }) : "";
  }));
}

function group(rows, design, { variant, dimension }) {
  const [against, infavour] = NAMES[design];
  const values = { variant, control: rows[0].vs, dimension: t(`experiments.breakdown.by.${dimension}`) };
  const title = t("experiments.breakdown.caption", values);
  const unpaired = design === "unpaired"; // units of each arm are its own, so shares are compared
  const shares = rows.map((row) => unpaired
    ? [row[against] / row.labelled, row[infavour] / row.control_labelled]
    : [row[against], row[infavour]]);
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label=${title}>
      <table>
        <caption>${title}</caption>
        <thead><tr><th scope="col">${values.dimension}</th>
          ${unpaired ? html`
            <th scope="col" class="figure">${t("experiments.breakdown.labelledOf", { name: variant })}</th>
            <th scope="col" class="figure">${t("experiments.breakdown.labelledOf", { name: values.control })}</th>` : html`
            <th scope="col" class="figure">${t("experiments.breakdown.labelled")}</th>`}
          <th scope="col" class="figure">${t(`experiments.breakdown.${infavour}`, values)}</th>
          <th scope="col" class="figure">${t(`experiments.breakdown.${against}`, values)}</th>
          <th scope="col" class="figure">${t("experiments.breakdown.difference")}</th>
          <th scope="col" class="figure">${t("experiments.breakdown.p")}</th></tr></thead>
        <tbody>${rows.map((row) => html`
          <tr><th scope="row">${row.value}</th><td class="figure">${number(row.labelled)}</td>
            ${unpaired ? html`<td class="figure">${number(row.control_labelled)}</td>` : ""}
            <td class="figure">${number(row[infavour])}</td><td class="figure">${number(row[against])}</td>
            <td class="figure">${percent(row.difference)}</td><td class="figure">${number(row.p_holm, 4)}</td></tr>`)}</tbody>
      </table>
    </div>
    ${picture(rows, shares, title)}
  `;
}

/** Show a bar to the left for the cases of control, and one to the right for those of the variant: `shares` by row. */
function picture(rows, shares, title) {
  const middle = LABEL + (WIDTH - LABEL) / 2;
  const most = Math.max(...shares.flat()) || 1;
  const long = (share) => ((WIDTH - LABEL) / 2 - 4) * (share / most);
  return html`
    <figure class="chart">
      <svg viewBox="0 0 ${WIDTH} ${ROW * rows.length}" width=${WIDTH} height=${ROW * rows.length} role="img" aria-label=${title}>
        ${rows.map((row, i) => svg`
          <text x=${LABEL - 8} y=${ROW * i + 16} text-anchor="end">${row.value}</text>
          <g class="series-2"><rect class="bar" x=${middle - long(shares[i][0])} y=${ROW * i + 4} width=${long(shares[i][0])} height=${ROW - 8} /></g>
          <g class="series-1"><rect class="bar" x=${middle} y=${ROW * i + 4} width=${long(shares[i][1])} height=${ROW - 8} /></g>`)}
        <g class="axis"><path d=${`M${middle},0V${ROW * rows.length}`} /></g>
      </svg>
      <figcaption>${t("experiments.breakdown.sides", { variant: rows[0].variant, control: rows[0].vs })}</figcaption>
    </figure>
  `;
}
