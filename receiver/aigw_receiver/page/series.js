/** From the API's series to what a chart draws. Pure. */

/** @typedef {import("./types.js").SeriesDocument} SeriesDocument */
/** @typedef {import("./types.js").Series} Series */
/** @typedef {import("./chart.js").ChartData} ChartData */
/** @typedef {import("./chart.js").Line} Line */

export const PERCENTILES = ["p50", "p75", "p90", "p95", "p99"];

/**
 * Several values of one thing: the first series of the document.
 *
 * @param {SeriesDocument} document
 * @param {{value: string, name: string, tone?: "error"}[]} wanted
 * @param {string} [hint]
 * @returns {ChartData}
 */
export function ofOne(document, wanted, hint = "") {
  const values = document.series[0]?.values ?? {};
  // No series at all is a gateway that had nothing yet.
  const nothing = document.times.map(() => null);
  const lines = wanted.map(({ value, name, tone }) => ({
    name,
    values: values[value] ?? nothing,
    ...(tone ? { tone } : {}),
  }));
  return { ...frame(document), lines, hint };
}

/**
 * One value of many things, named by their keys.
 *
 * @param {SeriesDocument} document
 * @param {string} value
 * @returns {ChartData}
 */
export function ofMany(document, value) {
  const nothing = document.times.map(() => null);
  // The same thing has the same colour in all charts of a view.
  const lines = document.series.map((series, style) => ({
    name: nameOf(series),
    values: series.values[value] ?? nothing,
    style,
  }));
  // What never had this value only fills the legend.
  const some = lines.filter((line) => line.values.some((each) => each !== null && each !== 0));
  return { ...frame(document), lines: some, other: document.other };
}

/**
 * The average and the percentiles of a duration, as one chart has them.
 *
 * @param {string} field
 * @returns {{value: string, name: string}[]}
 */
export function percentilesOf(field) {
  return [...PERCENTILES, "avg"].map((each) => ({ value: `${field}_${each}`, name: each }));
}

/**
 * @param {Series} series
 * @returns {string}
 */
function nameOf(series) {
  const parts = Object.values(series.key).filter((part) => part !== "");
  return parts.join(" / ") || "(none)";
}

/**
 * @param {SeriesDocument} document
 */
function frame({ from, to, step, times }) {
  return { from, to, step, times };
}
