/**
 * A table that can be sorted, and is brought up to date in place. Its elements have, beside those of `field.js`:
 *
 *     table[data-table="providers"]   which table it is
 *     tr[data-row="openai"]           the row's key
 *
 * How it is sorted stands in the address (`sort`, or `sort_NAME` where a page has more than one table): the name of a
 * column, with "-" before it for the largest first. It loads nothing. Many rows are drawn in portions.
 */

import { el, placeChildren, setAttributes, setText } from "./dom.js";
import { showValue } from "./field.js";
import { Portion } from "./portion.js";
import * as route from "./route.js";

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} field
 * @property {string} label
 * @property {string} [title]
 * @property {boolean} [number] whether it is set to the right
 * @property {(row: Row) => string | number | null} sortBy
 * @property {(cell: HTMLElement, row: Row) => void} show writes the cell; called again with every change
 */

/**
 * @template Row
 * @typedef {object} Options
 * @property {string} name
 * @property {string} caption
 * @property {Column<Row>[]} columns the first one names the row
 * @property {(row: Row) => string} keyOf
 * @property {string} sort the order at first, as the address would say it
 * @property {boolean} [only] whether the page has no other table
 * @property {boolean} [fixed] whether rows stay in the order in which they come, all of them
 * @property {string} [empty] what to say where there is no row
 */

// More rows are drawn only when somebody wants them.
const ROWS = 250;

const NAMES = new Intl.Collator("en", { numeric: true });

/**
 * A column of a number of `totals.js`.
 *
 * @template {{totals: import("./types.js").Totals}} Row
 * @param {import("./totals.js").Quantity} number
 * @returns {Column<Row>}
 */
export function numberColumn(number) {
  return {
    field: number.field,
    label: number.label,
    title: number.title,
    number: true,
    sortBy: (row) => number.read(row.totals),
    show: (cell, row) => showValue(cell, number.field, number.read(row.totals), number.unit),
  };
}

/**
 * A column of a name.
 *
 * @template Row
 * @param {string} field
 * @param {string} label
 * @param {(row: Row) => string} read
 * @returns {Column<Row>}
 */
export function textColumn(field, label, read) {
  return {
    field,
    label,
    sortBy: (row) => read(row),
    show: (cell, row) => {
      setText(cell, read(row) || "(none)");
      setAttributes(cell, { "data-field": field, "data-value": read(row), title: read(row) || null });
    },
  };
}

/** @template Row */
export class Table {
  /** @param {Options<Row>} options */
  constructor(options) {
    this.options = options;
    /** @type {Row[]} */
    this.rows = [];
    this.all = false;
    /** How often it was drawn: a drawing that is not the last one stops. */
    this.drawings = 0;
    this.parameter = options.only ? "sort" : `sort_${options.name}`;
    this.headers = options.columns.map((column) => this.makeHeader(column));
    this.body = el("tbody");
    const table = el("table", { "data-table": options.name }, [
      el("caption", { class: "hidden" }, options.caption),
      el("thead", {}, el("tr", {}, this.headers)),
      this.body,
    ]);
    this.empty = el("p", { class: "nothing", hidden: true }, options.empty ?? "Nothing in this time range.");
    this.more = el("button", { type: "button", class: "button", hidden: true }, "", { click: () => this.showAll() });
    const scroller = el(
      "div",
      { class: "scroller", role: "region", "aria-label": options.caption, tabindex: 0 },
      table,
    );
    this.element = el("div", { class: "table" }, [scroller, this.empty, this.more]);
    this.scroller = scroller;
  }

  /**
   * @param {Row[]} rows
   * @param {Portion} [portion]
   */
  async setRows(rows, portion) {
    this.rows = rows;
    await this.draw(portion);
  }

  /**
   * @param {Column<Row>} column
   * @returns {HTMLTableCellElement}
   */
  makeHeader(column) {
    const attributes = { scope: "col", class: column.number ? "number" : null, "data-column": column.field };
    if (this.options.fixed) return el("th", { ...attributes, title: column.title }, column.label);
    const button = el("button", { type: "button", title: column.title }, column.label, {
      click: () => this.sortBy(column),
    });
    return el("th", attributes, button);
  }

  /** @param {Column<Row>} column */
  sortBy(column) {
    const { field, down } = this.order();
    // Of numbers people want the largest first, of names the first letter.
    const first = column.number === true;
    const wanted = field === column.field ? !down : first;
    route.rewrite(route.changed({ [this.parameter]: (wanted ? "-" : "") + column.field }));
    void this.draw();
  }

  /** @returns {{field: string, down: boolean}} */
  order() {
    const text = new URLSearchParams(location.search).get(this.parameter) ?? this.options.sort;
    return { field: text.replace(/^-/, ""), down: text.startsWith("-") };
  }

  showAll() {
    this.all = true;
    void this.draw();
  }

  async draw(portion = new Portion()) {
    const drawing = ++this.drawings;
    const sorted = this.sort();
    const shown = this.all || this.options.fixed ? sorted : sorted.slice(0, ROWS);
    this.scroller.hidden = this.rows.length === 0;
    this.empty.hidden = this.rows.length > 0;
    this.more.hidden = shown.length === sorted.length;
    setText(this.more, `Show all ${sorted.length} rows`);
    const placing = placeChildren(
      this.body,
      shown,
      this.options.keyOf,
      (row) => this.makeRow(row),
      (element, row) => this.updateRow(element, row),
    );
    while (!placing.next().done) {
      if (!portion.over()) continue;
      await portion.next();
      if (drawing !== this.drawings) return;
    }
  }

  /**
   * The rows in the order that the address says; the heads say it, too.
   *
   * @returns {Row[]}
   */
  sort() {
    const { columns, fixed } = this.options;
    const { field, down } = this.order();
    for (const header of this.headers) {
      const sorted = header.dataset["column"] === field;
      setAttributes(header, { "aria-sort": sorted ? (down ? "descending" : "ascending") : null });
    }
    const column = fixed ? undefined : (columns.find((each) => each.field === field) ?? columns[0]);
    return column === undefined ? this.rows : [...this.rows].sort((one, two) => compare(column, one, two, down));
  }

  /**
   * @param {Row} row
   * @returns {HTMLTableRowElement}
   */
  makeRow(row) {
    const cells = this.options.columns.map((column, place) => {
      const attributes = { class: column.number ? "number" : null };
      return place === 0 ? el("th", { scope: "row", ...attributes }) : el("td", attributes);
    });
    return el("tr", { "data-row": this.options.keyOf(row) }, cells);
  }

  /**
   * @param {HTMLTableRowElement} element
   * @param {Row} row
   */
  updateRow(element, row) {
    for (const [place, column] of this.options.columns.entries()) {
      column.show(/** @type {HTMLElement} */ (element.cells[place]), row);
    }
  }
}

/**
 * @template Row
 * @param {Column<Row>} column
 * @param {Row} one
 * @param {Row} two
 * @param {boolean} down
 * @returns {number}
 */
function compare(column, one, two, down) {
  const [left, right] = [column.sortBy(one), column.sortBy(two)];
  // What has no value comes last, in both directions.
  if (left === null || right === null) return Number(left === null) - Number(right === null);
  const order =
    typeof left === "number" && typeof right === "number" ? left - right : NAMES.compare(String(left), String(right));
  return down ? -order : order;
}
