/** The list of kept requests: its columns. A row is `tr[data-row=ID]`; cells have data-field and data-value. */

import { showBadge } from "./badge.js";
import { local, setTime, zone } from "./clock.js";
import { el, setAttributes, setChildren, setText } from "./dom.js";
import { showValue } from "./field.js";
import { NONE } from "./format.js";
import { nameOfRule, rulesOf } from "./reasons.js";
import * as route from "./route.js";
import { Table } from "./table.js";

/** @typedef {{id: string, log: import("./types.js").LogRecord}} Kept */
/** @typedef {import("./table.js").Column<Kept>} Column */

// What is not read below is not sorted: the newest come first, page after page.
const UNSORTED = () => null;

/** @returns {Table<Kept>} */
export function makeRequestTable() {
  return new Table({
    name: "requests",
    caption: "Kept requests, the newest first",
    fixed: true,
    sort: "",
    keyOf: (row) => row.id,
    columns: [
      { field: "time", label: `Time (${zone(Date.now() / 1000)})`, sortBy: UNSORTED, show: showTime },
      {
        field: "ending",
        label: "Ended as",
        sortBy: UNSORTED,
        show: (cell, { log }) => {
          showBadge(cell, String(log["ending"]));
          cell.dataset["field"] = "ending";
        },
      },
      words("status", "Status", ({ log }) => text(log["status"]), true),
      { field: "what", label: "Model or tool", sortBy: UNSORTED, show: showWhat },
      words("backend", "Provider or server", ({ log }) =>
        text(log["mcp_backend"] ?? log["backend"] ?? log["provider"]),
      ),
      number("duration_ms", "Duration", "seconds", 1000),
      number("time_to_first_token_ms", "First token", "seconds", 1000),
      number("total_tokens", "Tokens", "count"),
      number("cost_usd", "Cost", "usd"),
      { field: "rules", label: "Kept by", sortBy: UNSORTED, show: showRules },
    ],
  });
}

/** @param {HTMLElement} cell @param {Kept} row */
function showTime(cell, { id, log }) {
  if (cell.firstElementChild === null) cell.append(el("a", { class: "row-link" }, el("time")));
  const link = /** @type {HTMLAnchorElement} */ (cell.firstElementChild);
  const seconds = Date.parse(String(log["time"])) / 1000;
  // The record has nine digits of a second; arithmetic would round the third.
  const milliseconds = text(log["time"]).slice(20, 23);
  setTime(
    /** @type {HTMLTimeElement} */ (link.firstElementChild),
    seconds,
    `${local(seconds, Date.now() / 1000)}.${milliseconds}`,
  );
  setAttributes(link, { href: route.changed({ record: id }) });
  setAttributes(cell, { "data-field": "time", "data-value": text(log["time"]) });
}

/** @param {HTMLElement} cell @param {Kept} row */
function showWhat(cell, { log }) {
  const mcp = log["ai_route_type"] === "mcp";
  const asked = text(mcp ? log["mcp_method"] : log["requested_model"]);
  const answered = text(mcp ? log["mcp_tool"] : log["answered_model"]);
  const both = [asked, answered].filter((each, place, all) => each !== "" && all.indexOf(each) === place);
  setText(cell, both.join(mcp ? " · " : " → ") || NONE);
  setAttributes(cell, { "data-field": "what", "data-value": asked, title: both.join(" → ") || null });
}

/** @param {HTMLElement} cell @param {Kept} row */
function showRules(cell, { log }) {
  setChildren(
    cell,
    rulesOf(log),
    (rule) => rule,
    () => el("span", { class: "tag" }),
    (tag, rule) => setText(tag, nameOfRule(rule)),
  );
  setAttributes(cell, { "data-field": "rules", "data-value": text(log["rules"]) });
}

/**
 * @param {string} field
 * @param {string} label
 * @param {(row: Kept) => string} read
 * @param {boolean} [right]
 * @returns {Column}
 */
function words(field, label, read, right = false) {
  return {
    field,
    label,
    number: right,
    sortBy: UNSORTED,
    show: (cell, row) => {
      setText(cell, read(row) || NONE);
      setAttributes(cell, { "data-field": field, "data-value": read(row), title: read(row) || null });
    },
  };
}

/**
 * @param {string} field
 * @param {string} label
 * @param {import("./field.js").Unit} unit
 * @param {number} [by] what values are divided by to be shown
 * @returns {Column}
 */
function number(field, label, unit, by = 1) {
  return {
    field,
    label,
    number: true,
    sortBy: UNSORTED,
    show: (cell, { log }) => {
      const value = log[field];
      showValue(cell, field, typeof value === "number" ? value / by : null, unit);
      setAttributes(cell, { "data-value": value ?? "" });
    },
  };
}

/** @param {string | number | undefined} value */
function text(value) {
  return value === undefined ? "" : String(value);
}
