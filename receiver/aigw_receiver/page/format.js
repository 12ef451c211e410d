/** Numbers as people read them. Each has a short form for the page and a full one for titles; neither reads the clock. */

/** What stands where there is no value. */
export const NONE = "–";

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });
const FULL = new Intl.NumberFormat("en-US", { maximumFractionDigits: 12 });
const THREE = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
const TENTHS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });
const HUNDREDTHS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });

/** By how many digits they have behind the point, at least two. A new one for each value would take most of the time. */
const MONEY = [...Array(13).keys()].map((places) => {
  const digits = Math.max(2, places);
  return new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: digits });
});

/**
 * Writes a value.
 *
 * @callback Format
 * @param {number | null | undefined} value
 * @returns {string}
 */

/**
 * A count: as it is up to 9,999, then 12.3K and 4.56M.
 *
 * @type {Format}
 */
export function count(value) {
  if (value === null || value === undefined) return NONE;
  return Math.abs(value) < 10_000 ? WHOLE.format(value) : SHORT.format(value);
}

/**
 * All digits.
 *
 * @type {Format}
 */
export function full(value) {
  return value === null || value === undefined ? "no value" : FULL.format(value);
}

/**
 * USD: cents from one dollar on, below it three digits that count, never less than cents.
 *
 * @type {Format}
 */
export function money(value) {
  if (value === null || value === undefined) return NONE;
  const size = Math.abs(value);
  if (size === 0) return "$0";
  if (size >= 100_000) return `$${SHORT.format(value)}`;
  let digits = 2;
  if (size < 1) digits = Math.min(12, Math.max(2, 2 - Math.floor(Math.log10(size))));
  return `$${MONEY[digits]?.format(value)}`;
}

/**
 * USD with all digits.
 *
 * @type {Format}
 */
export function fullMoney(value) {
  return value === null || value === undefined ? "no value" : `${FULL.format(value)} USD`;
}

/**
 * A duration, of seconds: 850 µs, 12.3 ms, 1.24 s, 2 min 5 s.
 *
 * @type {Format}
 */
export function duration(value) {
  if (value === null || value === undefined) return NONE;
  if (value === 0) return "0 s";
  if (value < 0.001) return `${digits(value * 1e6)} µs`;
  if (value < 0.9995) return `${digits(value * 1e3)} ms`;
  if (value < 60) return `${digits(value)} s`;
  return span(value);
}

/**
 * A duration with all digits.
 *
 * @type {Format}
 */
export function fullDuration(value) {
  return value === null || value === undefined ? "no value" : `${FULL.format(value)} s`;
}

/**
 * A share as per cent: 0 %, 0.4 %, 12.5 %.
 *
 * @type {Format}
 */
export function ratio(value) {
  if (value === null || value === undefined) return NONE;
  const percent = value * 100;
  if (percent === 0 || percent === 100) return `${percent} %`;
  if (percent < 0.01) return "< 0.01 %";
  if (percent > 99.99 && percent < 100) return "> 99.99 %";
  return `${(percent < 10 ? HUNDREDTHS : TENTHS).format(percent)} %`;
}

/**
 * A share with all digits.
 *
 * @type {Format}
 */
export function fullRatio(value) {
  return value === null || value === undefined ? "no value" : `${FULL.format(value * 100)} %`;
}

/**
 * How many bytes: 512 B, 1.5 KiB.
 *
 * @type {Format}
 */
export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  if (value < 1024) return `${WHOLE.format(value)} B`;
  return value < 1024 * 1024 ? `${digits(value / 1024)} KiB` : `${digits(value / 1024 / 1024)} MiB`;
}

/**
 * Whole seconds as words: 45 s, 3 min, 2 h 5 min, 4 d.
 *
 * @param {number} seconds
 * @param {number} [most] how many units at most
 * @returns {string}
 */
export function span(seconds, most = 2) {
  const units = [86_400, 3600, 60, 1];
  const names = ["d", "h", "min", "s"];
  let rest = Math.round(Math.max(0, seconds));
  const words = [];
  for (const [place, unit] of units.entries()) {
    const number = Math.floor(rest / unit);
    rest -= number * unit;
    if (number > 0) words.push(`${number} ${names[place]}`);
    else if (words.length > 0) break;
    if (words.length === most) break;
  }
  return words.join(" ") || "0 s";
}

/**
 * Three digits that count.
 *
 * @param {number} value
 * @returns {string}
 */
function digits(value) {
  return THREE.format(value);
}
