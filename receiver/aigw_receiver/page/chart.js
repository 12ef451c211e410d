/**
 * A chart: a figure with a plot, a legend that follows the cursor, and the same numbers as a table. Its elements have:
 *
 *     figure[data-chart="latency"]                   which chart it is
 *     li[data-series="p95"]                          a line of the legend; its button hides and shows the line
 *     details > table td[data-series][data-value]    a value; `tr[data-time]` is the end of its step, in seconds
 *
 * It draws what it is given and loads nothing; the library is in `plot.js`.
 */

import { localMinute, local, utc, zone } from "./clock.js";
import { el, setAttributes, setChildren, setText, svg } from "./dom.js";
import { shorten, showValue } from "./field.js";
import { span } from "./format.js";
import { Plot } from "./plot.js";

/** @typedef {{name: string, values: (number | null)[], tone?: "error", style?: number}} Line `style` is its place otherwise */

/**
 * @typedef {object} ChartData
 * @property {number} from
 * @property {number} to
 * @property {number} step
 * @property {number[]} times the end of each step
 * @property {Line[]} lines
 * @property {number} [other] how many lines were left out
 * @property {string} [hint] what is to be known of the numbers
 */

/**
 * @typedef {object} ChartOptions
 * @property {string} name
 * @property {string} title
 * @property {import("./field.js").Unit} unit
 * @property {boolean} [perStep] whether values are counts of a step, which may be added up
 */

/** Colours and dashes that there are; see `charts.css` and `plot.js`. */
export const STYLES = 8;

export class Chart {
  /** @param {ChartOptions} options */
  constructor(options) {
    this.options = options;
    /** @type {ChartData | null} */
    this.data = null;
    /** @type {Set<string>} */
    this.off = new Set();
    this.unit = el("span", { class: "chart-unit" });
    this.area = el("div", { class: "plot", role: "img" });
    this.nothing = el("p", { class: "chart-nothing", hidden: true }, "No data in this time range.");
    this.when = el("p", { class: "legend-when" });
    this.legend = el("ul", { class: "legend" });
    this.hint = el("p", { class: "chart-hint", hidden: true });
    this.table = el("div", {
      class: "scroller",
      role: "region",
      tabindex: 0,
      "aria-label": `${options.title}, as a table`,
    });
    this.details = el("details", {}, [el("summary", {}, "Show as table"), this.table], {
      toggle: () => this.drawTable(),
    });
    // Nothing is seen of it until it has something to show.
    this.element = el("figure", { class: "chart card", "data-chart": options.name, hidden: true }, [
      el("figcaption", {}, [el("h3", {}, options.title), this.unit]),
      el("div", { class: "plot-frame" }, [this.area, this.nothing]),
      this.when,
      this.legend,
      this.hint,
      this.details,
    ]);
    this.plot = new Plot(this.area, options.unit, (place) => this.drawLegend(place));
  }

  /**
   * @param {ChartData} data
   * @returns {Promise<void>} until it is drawn
   */
  async set(data) {
    this.data = data;
    this.element.hidden = false;
    setText(this.unit, this.options.perStep ? `per ${span(data.step)}` : "");
    const empty = data.lines.every((line) => line.values.every((value) => value === null));
    this.nothing.hidden = !empty;
    setAttributes(this.area, {
      "aria-label": `${this.options.title}: ${this.describe()}. The numbers are in the table below.`,
    });
    const left = data.other ? `${data.other} more with fewer requests are not shown.` : "";
    const hint = [data.hint ?? "", left].filter((text) => text !== "").join(" ");
    setText(this.hint, hint);
    this.hint.hidden = hint === "";
    this.drawLegend(null);
    this.drawTable();
    await this.plot.set(data, this.off);
  }

  /** Ends what the chart has going on. */
  close() {
    this.plot.close();
  }

  /**
   * What a line comes to: the sum of counts, or the last value.
   *
   * @param {Line} line
   * @returns {number | null}
   */
  summary(line) {
    const values = line.values.filter((value) => value !== null);
    if (values.length === 0) return null;
    return this.options.perStep ? values.reduce((sum, value) => sum + value, 0) : (values.at(-1) ?? null);
  }

  /** @returns {string} */
  describe() {
    const lines = this.data?.lines ?? [];
    const words = lines.map((line) => `${line.name} ${shorten(this.summary(line), this.options.unit)}`);
    return words.length === 0 ? "no data" : `${this.options.perStep ? "in total" : "at last"} ${words.join(", ")}`;
  }

  /** @param {number | null} place of the step under the cursor */
  drawLegend(place) {
    const data = this.data;
    if (data === null) return;
    const time = place === null ? undefined : data.times[place];
    const resting = this.options.perStep ? "Total of the time range" : "Latest value";
    setText(
      this.when,
      time === undefined ? resting : `${local(time - data.step, data.to)} to ${local(time, data.to)} ${zone(time)}`,
    );
    this.when.hidden = data.lines.length === 0;
    setChildren(
      this.legend,
      [...data.lines.entries()],
      ([, line]) => line.name,
      ([number, line]) => this.makeEntry(number, line),
      (entry, [number, line]) => {
        const value = place === null ? this.summary(line) : line.values[place];
        const button = /** @type {HTMLElement} */ (entry.firstElementChild);
        setAttributes(button, { "aria-pressed": String(!this.off.has(line.name)) });
        setAttributes(button.children[0] ?? button, { class: `swatch ${styleOf(number, line)}` });
        showValue(/** @type {HTMLElement} */ (button.children[2]), line.name, value, this.options.unit);
      },
    );
  }

  /**
   * @param {number} number
   * @param {Line} line
   * @returns {HTMLLIElement}
   */
  makeEntry(number, line) {
    const stroke = svg("line", { x1: 0, y1: 4, x2: 24, y2: 4 });
    const swatch = svg(
      "svg",
      { class: `swatch ${styleOf(number, line)}`, width: 24, height: 8, "aria-hidden": "true" },
      [stroke],
    );
    const name = el("span", { class: "legend-name", title: line.name }, line.name);
    const press = { click: () => this.toggle(line.name) };
    const button = el(
      "button",
      { type: "button", title: `Show or hide ${line.name}` },
      [swatch, name, el("span", { class: "legend-value" })],
      press,
    );
    return el("li", { "data-series": line.name }, button);
  }

  /** @param {string} name */
  toggle(name) {
    if (!this.off.delete(name)) this.off.add(name);
    if (this.data !== null) void this.plot.set(this.data, this.off);
    this.drawLegend(null);
  }

  /** The table is made only while somebody looks at it. */
  drawTable() {
    const data = this.data;
    if (!this.details.open || data === null) return;
    const names = data.lines.map((line) => line.name);
    const head = el("tr", {}, [
      el("th", { scope: "col" }, `End of step (${zone(data.to)})`),
      ...names.map((name) => el("th", { scope: "col", class: "number" }, name)),
    ]);
    const rows = [...data.times.entries()].reverse().map(([place, time]) => {
      const cells = data.lines.map((line) => {
        const cell = el("td", { class: "number", "data-series": line.name });
        showValue(cell, line.name, line.values[place], this.options.unit);
        return cell;
      });
      const label = data.step < 60 ? local(time, data.to) : localMinute(time, data.to);
      return el("tr", { "data-time": time }, [el("th", { scope: "row", title: utc(time) }, label), ...cells]);
    });
    const top = this.table.scrollTop;
    this.table.replaceChildren(
      el("table", {}, [
        el("caption", { class: "hidden" }, this.options.title),
        el("thead", {}, head),
        el("tbody", {}, rows),
      ]),
    );
    this.table.scrollTop = top;
  }
}

/**
 * Draws the charts of a panel, one after the other.
 *
 * @param {Chart[]} charts
 * @param {(number: number) => ChartData} dataOf the chart of this number
 * @param {import("./portion.js").Portion} portion
 */
export async function drawCharts(charts, dataOf, portion) {
  for (const [number, chart] of charts.entries()) {
    await chart.set(dataOf(number));
    if (portion.over()) await portion.next();
  }
}

/**
 * The class that gives a line its colour.
 *
 * @param {number} number
 * @param {Line} line
 * @returns {string}
 */
function styleOf(number, line) {
  return line.tone === "error" ? "series-error" : `series-${((line.style ?? number) % STYLES) + 1}`;
}
