/**
 * One value on the page. Its element has, for tests and for whoever reads the page by a program:
 *
 *     data-field="requests"   which value it is: the names of the API's series, and those of the columns
 *     data-value="12345"      the exact value, empty where there is none
 *     title="12,345"          the exact value for people
 */

import { setAttributes, setText } from "./dom.js";
import * as format from "./format.js";

/** @typedef {"count" | "seconds" | "usd" | "ratio" | "bytes"} Unit */

/** @type {Record<Unit, {short: import("./format.js").Format, full: import("./format.js").Format}>} */
const FORMATS = {
  count: { short: format.count, full: format.full },
  seconds: { short: format.duration, full: format.fullDuration },
  usd: { short: format.money, full: format.fullMoney },
  ratio: { short: format.ratio, full: format.fullRatio },
  bytes: { short: format.bytes, full: format.full },
};

/**
 * The short form of a value.
 *
 * @param {number | null | undefined} value
 * @param {Unit} unit
 * @returns {string}
 */
export function shorten(value, unit) {
  return FORMATS[unit].short(value);
}

/**
 * Makes an element show a value.
 *
 * @param {HTMLElement} element
 * @param {string} field
 * @param {number | null | undefined} value
 * @param {Unit} unit
 */
export function showValue(element, field, value, unit) {
  setText(element, FORMATS[unit].short(value));
  setAttributes(element, { "data-field": field, "data-value": value ?? "", title: FORMATS[unit].full(value) });
}
