/** The tab MCP: what the gateway's MCP servers were asked, by server, method and negotiated capability. */

import { getSeries } from "./api.js";
import { Chart, drawCharts } from "./chart.js";
import { el } from "./dom.js";
import { showValue } from "./field.js";
import { ofMany, ofOne, percentilesOf } from "./series.js";
import { Table, numberColumn, textColumn } from "./table.js";
import { Tiles } from "./tiles.js";
import * as totals from "./totals.js";

/** @typedef {import("./gateway.js").Context} Context */
/** @typedef {import("./types.js").GatewayDocument} GatewayDocument */
/** @typedef {import("./types.js").SeriesDocument} SeriesDocument */
/** @typedef {import("./types.js").McpBackend} McpBackend */
/** @typedef {import("./types.js").McpMethod} McpMethod */
/** @typedef {import("./types.js").McpCapability} McpCapability */

const TILES = [
  totals.MCP_MESSAGES,
  totals.MCP_ERRORS,
  totals.MCP_ERROR_RATIO,
  totals.MCP_REQUESTS,
  totals.MCP_LATENCY,
  totals.MCP_LATENCY_P95,
  totals.MCP_START,
  totals.MCP_START_P95,
];

// What every list of MCP has.
const COUNTS = [
  totals.MCP_MESSAGES,
  totals.MCP_ERRORS,
  totals.MCP_FAILED,
  totals.MCP_PROTOCOL_ERRORS,
  totals.MCP_ERROR_RATIO,
];

const NUMBERS = [
  ...COUNTS,
  totals.MCP_REQUESTS,
  totals.MCP_LATENCY,
  totals.MCP_LATENCY_P95,
];

/** @typedef {{value: string, name: string, tone?: "error"}} Line */

/**
 * A chart: of lines of the whole gateway, or of one value by server or method.
 *
 * @typedef {object} Drawn
 * @property {import("./chart.js").ChartOptions} chart
 * @property {"all" | "backends" | "methods"} view
 * @property {Line[]} [lines]
 * @property {string} [value]
 */

/** @type {Drawn[]} */
const CHARTS = [
  {
    chart: { name: "mcp_messages", title: "Messages and errors", unit: "count", perStep: true },
    view: "all",
    lines: [
      { value: "mcp_messages", name: "messages" },
      { value: "mcp_errors", name: "failed + error", tone: "error" },
      { value: "mcp_failed", name: "failed" },
    ],
  },
  {
    chart: { name: "mcp_latency", title: "Request latency", unit: "seconds" },
    view: "all",
    lines: percentilesOf("mcp_duration"),
  },
  {
    chart: { name: "mcp_messages_by_backend", title: "Messages by server", unit: "count", perStep: true },
    view: "backends",
    value: "mcp_messages",
  },
  {
    chart: { name: "mcp_errors_by_backend", title: "Failed and error by server", unit: "count", perStep: true },
    view: "backends",
    value: "mcp_errors",
  },
  {
    chart: { name: "mcp_latency_by_backend", title: "Average latency by server", unit: "seconds" },
    view: "backends",
    value: "mcp_duration_avg",
  },
  {
    chart: { name: "mcp_messages_by_method", title: "Messages by method", unit: "count", perStep: true },
    view: "methods",
    value: "mcp_messages",
  },
  {
    chart: { name: "mcp_initialization", title: "Initialization latency", unit: "seconds" },
    view: "all",
    lines: percentilesOf("mcp_initialization"),
  },
  {
    chart: { name: "mcp_initialization_by_backend", title: "Average initialization by server", unit: "seconds" },
    view: "backends",
    value: "mcp_initialization_avg",
  },
];

export class McpPanel {
  constructor() {
    this.tiles = new Tiles(
      "MCP in numbers",
      TILES.map((tile) => ({ ...tile })),
    );
    /** @type {Table<McpBackend>} */
    this.backends = new Table({
      name: "backends",
      caption: "MCP servers",
      sort: "-mcp_messages",
      keyOf: (row) => row.backend,
      columns: [
        textColumn("backend", "Server", (row) => row.backend),
        ...[...NUMBERS, totals.MCP_START, totals.MCP_START_P95].map((number) => numberColumn(number)),
      ],
      empty: "No MCP server was asked in this time range.",
    });
    /** @type {Table<McpMethod>} */
    this.methods = new Table({
      name: "methods",
      caption: "MCP methods",
      sort: "-mcp_messages",
      keyOf: (row) => `${row.backend} ${row.method}`,
      columns: [
        textColumn("method", "Method", (row) => row.method),
        textColumn("backend", "Server", (row) => row.backend),
        // Durations are told by server only.
        ...COUNTS.map((number) => numberColumn(number)),
      ],
      empty: "No MCP method was called in this time range.",
    });
    /** @type {Table<McpCapability>} */
    this.capabilities = new Table({
      name: "capabilities",
      caption: "Negotiated capabilities",
      sort: "-count",
      keyOf: (row) => `${row.backend} ${row.side} ${row.type}`,
      columns: [
        textColumn("type", "Capability", (row) => row.type),
        textColumn("side", "Offered by", (row) => row.side),
        textColumn("backend", "Server", (row) => row.backend),
        {
          field: "count",
          label: "Negotiated",
          number: true,
          sortBy: (row) => row.count,
          show: (cell, row) => showValue(cell, "count", row.count, "count"),
        },
      ],
      empty: "No capability was negotiated in this time range.",
    });
    this.charts = CHARTS.map(({ chart }) => new Chart(chart));
    this.grid = el(
      "div",
      { class: "charts" },
      this.charts.map((chart) => chart.element),
    );
    this.element = el("div", {}, [
      el("h2", { class: "hidden" }, "MCP"),
      this.tiles.element,
      card("Servers", this.backends.element),
      card("Methods", this.methods.element),
      card("Negotiated capabilities", this.capabilities.element),
      this.grid,
    ]);
  }

  /** @param {Context} context */
  async fetch({ gateway, range, signal }) {
    const ask = (/** @type {Drawn["view"]} */ of, /** @type {string} */ view) => {
      const values = CHARTS.filter((chart) => chart.view === of).flatMap(({ lines, value }) =>
        value ? [value] : (lines ?? []).map((line) => line.value),
      );
      return getSeries(gateway, view, values, range, signal);
    };
    const [all, backends, methods] = await Promise.all([
      ask("all", "gateway"),
      ask("backends", "mcp_backend"),
      ask("methods", "mcp_method"),
    ]);
    return { all, backends, methods };
  }

  /**
   * @param {GatewayDocument} document
   * @param {Record<Drawn["view"], SeriesDocument>} series
   * @param {Context} context
   */
  async show({ gateway, mcp }, series, { portion }) {
    const of = gateway.totals;
    for (const tile of TILES) this.tiles.set(tile.field, tile.read(of));
    this.tiles.set("mcp_errors", of.mcp.errors, totals.mcpErrorKinds(of));
    this.grid.hidden = mcp.backends.length === 0 && mcp.methods.length === 0;
    await this.backends.setRows(mcp.backends, portion);
    await this.methods.setRows(mcp.methods, portion);
    await this.capabilities.setRows(mcp.capabilities, portion);
    await drawCharts(this.charts, (number) => dataOf(number, of, series), portion);
  }

  close() {
    for (const chart of this.charts) chart.close();
  }
}

/**
 * What one of the charts draws.
 *
 * @param {number} number
 * @param {import("./types.js").Totals} of
 * @param {Record<Drawn["view"], SeriesDocument>} series
 * @returns {import("./chart.js").ChartData}
 */
function dataOf(number, of, series) {
  const { chart, view, lines, value } = /** @type {Drawn} */ (CHARTS[number]);
  if (value) return ofMany(series[view], value);
  const hints = /** @type {Record<string, string>} */ ({
    mcp_latency: totals.overflowHint(of.mcp.duration),
    mcp_initialization: totals.overflowHint(of.mcp.initialization),
  });
  return ofOne(series[view], lines ?? [], hints[chart.name]);
}

/**
 * @param {string} title
 * @param {HTMLElement} content
 * @returns {HTMLElement}
 */
function card(title, content) {
  return el("div", { class: "card" }, [el("h3", { class: "card-title" }, title), content]);
}
