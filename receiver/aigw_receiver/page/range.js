/**
 * The time range of all that is shown: `from` and `to` of the address, which are also those of the API.
 *
 * A range that ends now has no `to`. Nothing here loads anything.
 */

/** @typedef {{from: string, to: string}} Range `to` is empty for now */

/** The ranges that are offered: the `from` of each, and its name. */
export const PRESETS = /** @type {const} */ ([
  ["-15m", "15 m", "15 minutes"],
  ["-1h", "1 h", "1 hour"],
  ["-6h", "6 h", "6 hours"],
  ["-24h", "24 h", "24 hours"],
  ["-7d", "7 d", "7 days"],
]);

export const DEFAULT_FROM = "-15m";

/**
 * @param {URLSearchParams} query
 * @returns {Range}
 */
export function readRange(query) {
  return { from: query.get("from") ?? DEFAULT_FROM, to: query.get("to") ?? "" };
}

/**
 * The range as parameters of the API.
 *
 * @param {Range} range
 * @returns {Record<string, string>}
 */
export function asParameters(range) {
  return range.to === "" ? { from: range.from } : { from: range.from, to: range.to };
}

/**
 * Whether a range moves on with the clock, and so is worth a refresh.
 *
 * @param {Range} range
 * @returns {boolean}
 */
export function isMoving(range) {
  return range.to === "";
}

/**
 * A moment as the address has it, to the second.
 *
 * @param {number} seconds since 1970
 * @returns {string}
 */
export function toAddress(seconds) {
  return new Date(Math.round(seconds) * 1000).toISOString().replace(".000Z", "Z");
}

const UNITS = /** @type {Record<string, number>} */ ({ s: 1, m: 60, h: 3600, d: 86_400 });

/**
 * The moment that the text of an address means, in seconds since 1970; NaN where it is none.
 *
 * @param {string} text
 * @param {number} now
 * @returns {number}
 */
export function toSeconds(text, now) {
  const ago = /^-(\d+)([smhd])$/.exec(text);
  if (ago !== null) return now - Number(ago[1]) * (UNITS[ago[2] ?? ""] ?? 0);
  if (text === "") return now;
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000;
}
