/**
 * The one place that knows uPlot: draws lines over time, says where the cursor is, and zooms by dragging.
 *
 * uPlot is brought in by the build (`vendor/`); where it is missing, charts have their tables only.
 */

import { day } from "./clock.js";
import { shorten } from "./field.js";
import { toAddress } from "./range.js";
import * as route from "./route.js";

/** @typedef {import("./chart.js").ChartData} ChartData */
/** @typedef {import("./field.js").Unit} Unit */
/** @typedef {typeof import("./vendor/uPlot.esm.js")} UPlot */
/** @typedef {import("./vendor/uPlot.esm.js")} Drawn */

const HEIGHT = 180;

/** Lines differ in their dash as well, for whoever does not see the colours. */
const DASHES = [[], [7, 3], [2, 3], [10, 3, 2, 3], [4, 4], [14, 4], [2, 6], [8, 2, 2, 2, 2, 2]];
const ERROR_DASH = [5, 3];

// Charts of a page share their cursor.
const SHARED = "aigw";

/** @type {Promise<UPlot | null>} */
const library = import("./vendor/uPlot.esm.js").then(
  (module) => module.default,
  () => null,
);

export class Plot {
  /**
   * @param {HTMLElement} area
   * @param {Unit} unit
   * @param {(place: number | null) => void} point told the step under the cursor
   */
  constructor(area, unit, point) {
    this.area = area;
    this.unit = unit;
    this.point = point;
    /** @type {Drawn | null} */
    this.drawn = null;
    /** @type {{data: ChartData, off: Set<string>} | null} */
    this.wanted = null;
    this.shape = "";
    this.closed = false;
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(area);
    this.repaint = () => void this.draw(true);
    document.addEventListener("themechange", this.repaint);
  }

  /**
   * @param {ChartData} data
   * @param {Set<string>} off names of lines that are hidden
   * @returns {Promise<void>} until it is drawn
   */
  async set(data, off) {
    this.wanted = { data, off };
    await this.draw(false);
  }

  close() {
    this.closed = true;
    this.sizes.disconnect();
    document.removeEventListener("themechange", this.repaint);
    this.drawn?.destroy();
    this.drawn = null;
  }

  /** @param {boolean} anew whether colours have changed */
  async draw(anew) {
    const make = await library;
    if (this.closed || this.wanted === null) return;
    if (make === null) {
      this.area.textContent = "This build has no chart library; the table has the numbers.";
      return;
    }
    const { data, off } = this.wanted;
    const shape = JSON.stringify([data.lines.map((line) => line.name), [...off], data.step]);
    const values = /** @type {any} */ ([data.times, ...data.lines.map((line) => line.values)]);
    if (this.drawn !== null && !anew && shape === this.shape) {
      this.drawn.batch(() => {
        this.drawn?.setData(values, false);
        this.drawn?.setScale("x", { min: data.from, max: data.to });
      });
      return;
    }
    this.shape = shape;
    this.drawn?.destroy();
    this.area.replaceChildren();
    this.drawn = new make(this.options(data, off), values, this.area);
  }

  resize() {
    const width = this.area.clientWidth;
    if (this.drawn !== null && width > 0 && width !== this.drawn.width) this.drawn.setSize({ width, height: HEIGHT });
  }

  /**
   * @param {ChartData} data
   * @param {Set<string>} off
   * @returns {import("./vendor/uPlot.esm.js").Options}
   */
  options(data, off) {
    const style = getComputedStyle(this.area);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const quiet = { stroke: colour("--text-soft"), font: `11px ${style.fontFamily}` };
    const lines = data.lines.map((line, number) => {
      const style = (line.style ?? number) % DASHES.length;
      const stroke = colour(line.tone === "error" ? "--series-error" : `--series-${style + 1}`);
      return {
        label: line.name,
        stroke,
        width: 1.75,
        dash: line.tone === "error" ? ERROR_DASH : (DASHES[style] ?? []),
        show: !off.has(line.name),
        ...(number === 0 && data.lines.length <= 2 ? { fill: `${stroke}1f` } : {}),
        points: { size: 5, fill: stroke, filter: isolated },
      };
    });
    return {
      width: Math.max(this.area.clientWidth, 100),
      height: HEIGHT,
      padding: [10, 10, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: SHARED }, drag: { x: true, y: false, setScale: false }, points: { size: 7 }, y: false },
      scales: { x: { time: true, min: data.from, max: data.to, auto: false }, y: { range: fromZero } },
      series: [{}, ...lines],
      axes: [
        {
          ...quiet,
          size: 28,
          space: 70,
          grid: { show: false },
          ticks: { stroke: colour("--line"), size: 4 },
          values: timeLabels,
        },
        {
          ...quiet,
          size: 58,
          space: 28,
          grid: { stroke: colour("--line-soft"), width: 1 },
          ticks: { show: false },
          values: (_, splits) => splits.map((value) => shorten(value, this.unit)),
        },
      ],
      hooks: {
        setCursor: [(plot) => this.point(plot.cursor.idx ?? null)],
        setSelect: [zoom],
      },
    };
  }
}

/**
 * Points only where a value stands alone, since no line shows it.
 *
 * @param {Drawn} plot
 * @param {number} number
 * @returns {number[]}
 */
function isolated(plot, number) {
  const values = plot.data[number] ?? [];
  const known = (/** @type {number} */ place) => values[place] !== null && values[place] !== undefined;
  return [...values.keys()].filter((place) => known(place) && !known(place - 1) && !known(place + 1));
}

/**
 * @param {Drawn} _
 * @param {number | null} __
 * @param {number | null} highest
 * @returns {[number, number]}
 */
function fromZero(_, __, highest) {
  return [0, highest !== null && highest > 0 ? highest * 1.08 : 1];
}

/**
 * @param {Drawn} _
 * @param {number[]} splits
 * @param {number} __
 * @param {number} ___
 * @param {number} step
 * @returns {string[]}
 */
function timeLabels(_, splits, __, ___, step) {
  return splits.map((split) => {
    const moment = new Date(split * 1000);
    const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
    const clock = `${two(moment.getHours())}:${two(moment.getMinutes())}`;
    if (step >= 86_400) return day(split);
    if (clock === "00:00" && step >= 60) return day(split);
    return step < 60 ? `${clock}:${two(moment.getSeconds())}` : clock;
  });
}

/** Opens the range that was dragged over. @param {Drawn} plot */
function zoom(plot) {
  const { left, width } = plot.select;
  if (width < 8) return;
  const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  if (to - from >= 10) route.go(route.changed({ from: toAddress(from), to: toAddress(to) }));
}
