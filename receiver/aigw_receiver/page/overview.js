/** The tab Overview: the numbers of the time range, and how they went. Its tiles and charts: `tiles.js`, `chart.js`. */

import { getSeries } from "./api.js";
import { Chart, drawCharts } from "./chart.js";
import { el } from "./dom.js";
import * as format from "./format.js";
import { ofOne, percentilesOf } from "./series.js";
import { Tiles } from "./tiles.js";
import * as totals from "./totals.js";

/** @typedef {import("./gateway.js").Context} Context */
/** @typedef {import("./types.js").GatewayDocument} GatewayDocument */
/** @typedef {import("./types.js").SeriesDocument} SeriesDocument */
/** @typedef {import("./types.js").Totals} Totals */

const TOKENS = [
  { value: "tokens_input", name: "input" },
  { value: "tokens_output", name: "output" },
  { value: "tokens_cached_input", name: "cached input" },
  { value: "tokens_reasoning", name: "reasoning" },
];

/** @typedef {{value: string, name: string, tone?: "error"}} Line */

/** @type {{chart: import("./chart.js").ChartOptions, lines: Line[], hint?: (totals: Totals) => string}[]} */
const CHARTS = [
  {
    chart: { name: "requests", title: "Requests and errors", unit: "count", perStep: true },
    lines: [
      { value: "requests", name: "requests" },
      { value: "errors", name: "errors", tone: "error" },
    ],
  },
  {
    chart: { name: "latency", title: "Latency", unit: "seconds" },
    lines: percentilesOf("duration"),
    hint: (of) => totals.overflowHint(of.duration),
  },
  { chart: { name: "tokens", title: "Tokens by type", unit: "count", perStep: true }, lines: TOKENS },
  {
    chart: { name: "cost", title: "Cost", unit: "usd", perStep: true },
    lines: [{ value: "cost_usd", name: "cost" }],
    hint: (of) =>
      of.unpriced_tokens > 0 ? `${format.count(of.unpriced_tokens)} tokens have no price and are not in it.` : "",
  },
  {
    chart: { name: "ttft", title: "Time to first token", unit: "seconds" },
    lines: percentilesOf("ttft"),
    hint: (of) => totals.overflowHint(of.time_to_first_token),
  },
  {
    chart: { name: "tpot", title: "Time per output token", unit: "seconds" },
    lines: percentilesOf("tpot"),
    hint: (of) => totals.overflowHint(of.time_per_output_token),
  },
];

const TILES = [
  totals.REQUESTS,
  totals.ERRORS,
  totals.TOTAL,
  totals.COST,
  totals.LATENCY_P95,
  totals.FIRST_TOKEN_P95,
  totals.PER_TOKEN,
  totals.MCP_MESSAGES,
  totals.MCP_ERRORS,
];

// Elsewhere on this tab the same words are about LLM requests.
const LABELS = new Map([
  [totals.MCP_MESSAGES, "MCP messages"],
  [totals.MCP_ERRORS, "MCP failed + error"],
]);

export class OverviewPanel {
  constructor() {
    this.tiles = new Tiles("The time range in numbers", [
      ...TILES.map((tile) => ({ ...tile, label: LABELS.get(tile) ?? tile.label })),
      {
        field: "completeness",
        label: "Completeness",
        unit: "ratio",
        title: "Share of requests that both metrics and access logs know",
      },
    ]);
    this.charts = CHARTS.map(({ chart }) => new Chart(chart));
    this.element = el("div", {}, [
      el("h2", { class: "hidden" }, "Overview"),
      this.tiles.element,
      el(
        "div",
        { class: "charts" },
        this.charts.map((chart) => chart.element),
      ),
    ]);
  }

  /** @param {Context} context */
  async fetch({ gateway, range, signal }) {
    const values = CHARTS.flatMap(({ lines }) => lines.map(({ value }) => value));
    return getSeries(gateway, "gateway", values, range, signal);
  }

  /**
   * @param {GatewayDocument} document
   * @param {SeriesDocument} series
   * @param {Context} context
   */
  async show({ gateway }, series, { portion }) {
    const of = gateway.totals;
    for (const tile of TILES) this.tiles.set(tile.field, tile.read(of), noteOf(tile.field, of));
    const judged = gateway.completeness === null ? "nothing to judge by yet" : "metrics beside access logs";
    this.tiles.set("completeness", gateway.completeness, judged);
    const dataOf = (/** @type {number} */ number) => {
      const { lines = [], hint } = CHARTS[number] ?? {};
      return ofOne(series, lines, hint?.(of));
    };
    await drawCharts(this.charts, dataOf, portion);
  }

  close() {
    for (const chart of this.charts) chart.close();
  }
}

/**
 * What stands below a tile.
 *
 * @param {string} field
 * @param {Totals} of
 * @returns {string}
 */
function noteOf(field, of) {
  const average = (/** @type {import("./types.js").Durations} */ durations) =>
    durations.avg === null ? "" : `${format.duration(durations.avg)} on average`;
  switch (field) {
    case "errors":
      return of.error_ratio === null ? "" : `${format.ratio(of.error_ratio)} of requests`;
    case "tokens_total":
      return `${format.count(of.tokens.input)} in, ${format.count(of.tokens.output)} out`;
    case "cost_usd":
      return of.unpriced_tokens > 0 ? `${format.count(of.unpriced_tokens)} tokens have no price` : "";
    case "duration_p95":
      return average(of.duration);
    case "ttft_p95":
      return average(of.time_to_first_token);
    case "tpot_avg":
      return of.time_per_output_token.p95 === null ? "" : `${format.duration(of.time_per_output_token.p95)} at p95`;
    case "mcp_messages":
      return of.mcp.requests > 0 ? `${format.count(of.mcp.requests)} requests` : "";
    case "mcp_errors":
      return totals.mcpErrorKinds(of);
    default:
      return "";
  }
}
