/** A tab that tells a gateway's numbers apart by something: a table, and a chart for each number. */

import { getSeries } from "./api.js";
import { Chart, drawCharts } from "./chart.js";
import { el, setAttributes, setText } from "./dom.js";
import * as route from "./route.js";
import { ofMany } from "./series.js";
import { Table } from "./table.js";

/** @typedef {import("./gateway.js").Context} Context */
/** @typedef {import("./types.js").GatewayDocument} GatewayDocument */
/** @typedef {import("./types.js").SeriesDocument} SeriesDocument */

/** Makes a cell a link to the kept requests that a filter finds. @typedef {(cell: HTMLElement, text: string, filter: Record<string, string>) => void} Link */

/**
 * @template Row
 * @typedef {object} Split
 * @property {string} name
 * @property {string} title
 * @property {string} view of the API's series
 * @property {string} sort
 * @property {string} empty
 * @property {(document: GatewayDocument) => Row[]} rows
 * @property {(row: Row) => string} keyOf
 * @property {(now: () => number, link: Link) => import("./table.js").Column<Row>[]} columns
 * @property {import("./chart.js").ChartOptions[]} charts named by the value of the series
 */

/** @template Row */
export class SplitPanel {
  /** @param {Split<Row>} split */
  constructor(split) {
    this.split = split;
    this.now = 0;
    /** @type {Context | null} */
    this.context = null;
    this.table = new Table({
      name: split.name,
      caption: split.title,
      only: true,
      sort: split.sort,
      empty: split.empty,
      keyOf: split.keyOf,
      columns: split.columns(
        () => this.now,
        (cell, text, filter) => this.link(cell, text, filter),
      ),
    });
    this.charts = split.charts.map((chart) => new Chart(chart));
    this.grid = el(
      "div",
      { class: "charts" },
      this.charts.map((chart) => chart.element),
    );
    this.element = el("div", {}, [
      el("h2", { class: "hidden" }, split.title),
      el("div", { class: "card" }, this.table.element),
      this.grid,
    ]);
  }

  /** @param {Context} context */
  async fetch({ gateway, range, signal }) {
    const values = this.split.charts.map((chart) => chart.name);
    return getSeries(gateway, this.split.view, values, range, signal);
  }

  /**
   * @param {GatewayDocument} document
   * @param {SeriesDocument} series
   * @param {Context} context
   */
  async show(document, series, context) {
    this.now = document.now;
    this.context = context;
    const rows = this.split.rows(document);
    this.grid.hidden = rows.length === 0;
    await this.table.setRows(rows, context.portion);
    const dataOf = (/** @type {number} */ number) => ofMany(series, this.split.charts[number]?.name ?? "");
    await drawCharts(this.charts, dataOf, context.portion);
  }

  /**
   * A name that leads to the kept requests of it.
   *
   * @param {HTMLElement} cell
   * @param {string} text
   * @param {Record<string, string>} filter
   */
  link(cell, text, filter) {
    const [field = ""] = Object.keys(filter);
    setAttributes(cell, { "data-field": field, "data-value": text });
    if (text === "" || this.context === null) {
      setText(cell, text || "(none)");
      return;
    }
    if (cell.firstElementChild === null) cell.replaceChildren(el("a", { title: "Kept requests of it" }));
    const link = /** @type {HTMLAnchorElement} */ (cell.firstElementChild);
    const { gateway, shown } = this.context;
    setText(link, text);
    setAttributes(link, {
      href: route.address(`${route.gatewayPath(gateway.namespace, gateway.name)}/requests`, shown.query, filter),
    });
  }

  close() {
    for (const chart of this.charts) chart.close();
  }
}
