/** The tabs Providers, Models and Pods: what a gateway's numbers are made of, as a table and as charts. */

import { showBadge } from "./badge.js";
import { ago, utc } from "./clock.js";
import { setAttributes, setText } from "./dom.js";
import { shorten } from "./field.js";
import * as format from "./format.js";
import { SplitPanel } from "./split_panel.js";
import { numberColumn } from "./table.js";
import * as totals from "./totals.js";

/** @typedef {import("./gateway.js").Panel} Panel */
/** @typedef {import("./types.js").GatewayDocument} GatewayDocument */
/** @typedef {import("./types.js").Totals} Totals */
/** @typedef {import("./types.js").Pod} Pod */

/** @template Row @typedef {import("./split_panel.js").Split<Row>} Split */

const COMMON = [
  totals.REQUESTS,
  totals.ERRORS,
  totals.ERROR_RATIO,
  totals.TOTAL,
  totals.COST,
  totals.LATENCY,
  totals.LATENCY_P95,
  totals.FIRST_TOKEN,
  totals.FIRST_TOKEN_P95,
  totals.PER_TOKEN,
  totals.PER_TOKEN_P95,
  totals.INPUT,
  totals.OUTPUT,
  totals.CACHED,
  totals.CREATED,
  totals.REASONING,
  totals.UNPRICED,
];

/** @template {{totals: Totals}} Row @returns {import("./table.js").Column<Row>[]} */
function commonColumns() {
  return COMMON.map((number) => /** @type {import("./table.js").Column<Row>} */ (numberColumn(number)));
}

/**
 * @param {string} by
 * @param {string[]} wanted
 * @returns {import("./chart.js").ChartOptions[]}
 */
function chartsBy(by, wanted) {
  /** @type {import("./chart.js").ChartOptions[]} */
  const all = [
    { name: "requests", title: `Requests by ${by}`, unit: "count", perStep: true },
    { name: "errors", title: `Errors by ${by}`, unit: "count", perStep: true },
    { name: "tokens_total", title: `Tokens by ${by}`, unit: "count", perStep: true },
    { name: "cost_usd", title: `Cost by ${by}`, unit: "usd", perStep: true },
    { name: "duration_avg", title: `Average latency by ${by}`, unit: "seconds" },
    { name: "duration_p95", title: `Latency p95 by ${by}`, unit: "seconds" },
    { name: "ttft_avg", title: `Average time to first token by ${by}`, unit: "seconds" },
    { name: "tpot_avg", title: `Average time per output token by ${by}`, unit: "seconds" },
    { name: "mcp_messages", title: `MCP messages by ${by}`, unit: "count", perStep: true },
  ];
  return all.filter((chart) => wanted.includes(chart.name));
}

const LLM_CHARTS = [
  "requests",
  "errors",
  "tokens_total",
  "cost_usd",
  "duration_avg",
  "duration_p95",
  "ttft_avg",
  "tpot_avg",
];

/** @returns {Panel} */
export function makeProviders() {
  /** @type {Split<import("./types.js").ProviderRow>} */
  const split = {
    name: "providers",
    title: "Providers",
    view: "provider",
    sort: "-requests",
    empty: "No request has gone to a provider in this time range.",
    rows: (document) => document.providers,
    keyOf: (row) => row.provider,
    columns: (_, link) => [
      {
        field: "provider",
        label: "Provider",
        sortBy: (row) => row.provider,
        show: (cell, row) => link(cell, row.provider, { provider: row.provider }),
      },
      ...commonColumns(),
    ],
    charts: chartsBy("provider", LLM_CHARTS),
  };
  return new SplitPanel(split);
}

/** @returns {Panel} */
export function makeModels() {
  /** @type {Split<import("./types.js").ModelRow>} */
  const split = {
    name: "models",
    title: "Models",
    view: "model",
    sort: "-requests",
    empty: "No model has answered in this time range.",
    rows: (document) => document.models,
    keyOf: (row) => `${row.provider}/${row.model}`,
    columns: (_, link) => [
      {
        field: "model",
        label: "Model",
        sortBy: (row) => row.model,
        show: (cell, row) => link(cell, row.model, { model: row.model }),
      },
      {
        field: "provider",
        label: "Provider",
        sortBy: (row) => row.provider,
        show: (cell, row) => showText(cell, "provider", row.provider || "(none)", row.provider),
      },
      ...commonColumns(),
    ],
    charts: chartsBy("model", LLM_CHARTS),
  };
  return new SplitPanel(split);
}

/** @returns {Panel} */
export function makePods() {
  /** @type {Split<Pod>} */
  const split = {
    name: "pods",
    title: "Pods",
    view: "pod",
    sort: "pod",
    empty: "No pod of this gateway is known any more.",
    rows: (document) => document.pods,
    keyOf: (row) => row.pod,
    columns: (now, link) => [
      {
        field: "pod",
        label: "Pod",
        sortBy: (row) => row.pod,
        show: (cell, row) => link(cell, row.pod, { pod: row.pod }),
      },
      { field: "state", label: "State", sortBy: (row) => row.state, show: (cell, row) => showBadge(cell, row.state) },
      momentColumn("last_export", "Last export", "When metrics of it last arrived", now),
      momentColumn("last_log", "Last log", "When an access log of it last arrived", now),
      {
        field: "interval",
        label: "Interval",
        title: "Time between two of its exports, as learned",
        number: true,
        sortBy: (row) => row.interval,
        show: (cell, row) => showText(cell, "interval", shorten(row.interval, "seconds"), row.interval),
      },
      {
        field: "streams",
        label: "Streams",
        title: "Series of metrics that it sends",
        number: true,
        sortBy: (row) => row.streams,
        show: (cell, row) => showText(cell, "streams", format.count(row.streams), row.streams),
      },
      ...[totals.REQUESTS, totals.ERRORS, totals.TOTAL, totals.COST, totals.LATENCY_P95, totals.FIRST_TOKEN_P95].map(
        (number) => /** @type {import("./table.js").Column<Pod>} */ (numberColumn(number)),
      ),
      /** @type {import("./table.js").Column<Pod>} */ (numberColumn({ ...totals.MCP_MESSAGES, label: "MCP messages" })),
    ],
    charts: chartsBy("pod", ["requests", "errors", "tokens_total", "duration_p95", "mcp_messages"]),
  };
  return new SplitPanel(split);
}

/**
 * @param {"last_export" | "last_log"} field
 * @param {string} label
 * @param {string} title
 * @param {() => number} now
 * @returns {import("./table.js").Column<Pod>}
 */
function momentColumn(field, label, title, now) {
  return {
    field,
    label,
    title,
    number: true,
    sortBy: (row) => row[field],
    show: (cell, row) => {
      const moment = row[field];
      showText(cell, field, ago(moment, now()), moment);
      setAttributes(cell, { title: moment === null ? "none yet" : utc(moment) });
    },
  };
}

/**
 * @param {HTMLElement} cell
 * @param {string} field
 * @param {string} text
 * @param {string | number | null} value
 */
function showText(cell, field, text, value) {
  setText(cell, text);
  setAttributes(cell, { "data-field": field, "data-value": value ?? "" });
}
