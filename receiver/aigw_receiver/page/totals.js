/**
 * The numbers that the page shows of a gateway, pod, provider, model or MCP server: name, unit, and how each is read from
 * TOTALS of the API. Their names are those of the API's series, where it has the same number.
 */

import { count } from "./format.js";

/** @typedef {import("./types.js").Totals} Totals */
/** @typedef {import("./types.js").Durations} Durations */

/**
 * @typedef {object} Quantity
 * @property {string} field
 * @property {string} label
 * @property {string} title what it is, in a sentence
 * @property {import("./field.js").Unit} unit
 * @property {(totals: Totals) => number | null} read
 */

/**
 * @param {string} field
 * @param {string} label
 * @param {import("./field.js").Unit} unit
 * @param {string} title
 * @param {(totals: Totals) => number | null} read
 * @returns {Quantity}
 */
function number(field, label, unit, title, read) {
  return { field, label, unit, title, read };
}

/**
 * Average and percentile of one of the durations.
 *
 * @param {string} field
 * @param {string} label
 * @param {string} title
 * @param {(totals: Totals) => Durations} read
 * @returns {[Quantity, Quantity]}
 */
function durations(field, label, title, read) {
  return [
    number(`${field}_avg`, `${label} avg`, "seconds", `${title}: the average`, (totals) => read(totals).avg),
    number(`${field}_p95`, `${label} p95`, "seconds", `${title}: 95 of 100 are faster`, (totals) => read(totals).p95),
  ];
}

export const REQUESTS = number("requests", "Requests", "count", "LLM requests that have ended", (t) => t.requests);
export const ERRORS = number("errors", "Errors", "count", "LLM requests that ended with an error", (t) => t.errors);
export const ERROR_RATIO = number(
  "error_ratio",
  "Error rate",
  "ratio",
  "Share of errors among LLM requests",
  (t) => t.error_ratio,
);
export const INPUT = number(
  "tokens_input",
  "Input tokens",
  "count",
  "Input tokens, cached ones among them",
  (t) => t.tokens.input,
);
export const OUTPUT = number(
  "tokens_output",
  "Output tokens",
  "count",
  "Output tokens, those of reasoning among them",
  (t) => t.tokens.output,
);
export const TOTAL = number("tokens_total", "Tokens", "count", "Input and output tokens", (t) => t.tokens.total);
export const CACHED = number(
  "tokens_cached_input",
  "Cached input",
  "count",
  "Input tokens that the provider had in its cache",
  (t) => t.tokens.cached_input,
);
export const CREATED = number(
  "tokens_cache_creation_input",
  "Cache creation",
  "count",
  "Input tokens that were written to the provider's cache",
  (t) => t.tokens.cache_creation_input,
);
export const REASONING = number(
  "tokens_reasoning",
  "Reasoning",
  "count",
  "Output tokens of reasoning",
  (t) => t.tokens.reasoning,
);
export const COST = number(
  "cost_usd",
  "Cost",
  "usd",
  "Cost of the tokens that have a price, in USD",
  (t) => t.cost_usd,
);
export const UNPRICED = number(
  "unpriced_tokens",
  "Unpriced tokens",
  "count",
  "Tokens of models that have no price; they are in no cost",
  (t) => t.unpriced_tokens,
);
export const [LATENCY, LATENCY_P95] = durations(
  "duration",
  "Latency",
  "From the request to the last byte of the answer",
  (t) => t.duration,
);
export const [FIRST_TOKEN, FIRST_TOKEN_P95] = durations(
  "ttft",
  "First token",
  "From the request to the first token of a stream",
  (t) => t.time_to_first_token,
);
export const [PER_TOKEN, PER_TOKEN_P95] = durations(
  "tpot",
  "Per token",
  "Time for each further token of an answer",
  (t) => t.time_per_output_token,
);
export const MCP_MESSAGES = number(
  "mcp_messages",
  "Messages",
  "count",
  "MCP messages of any method",
  (t) => t.mcp.messages,
);
export const MCP_REQUESTS = number(
  "mcp_requests",
  "Requests",
  "count",
  "MCP requests whose duration was measured",
  (t) => t.mcp.requests,
);
export const MCP_ERRORS = number(
  "mcp_errors",
  "Failed + error",
  "count",
  "MCP messages with the status failed (the tool said so) or error (the protocol did)",
  (t) => t.mcp.errors,
);
export const MCP_FAILED = number(
  "mcp_failed",
  "Failed",
  "count",
  "MCP messages with the status failed: the tool said so",
  (t) => t.mcp.failed,
);
export const MCP_PROTOCOL_ERRORS = number(
  "mcp_protocol_errors",
  "Error",
  "count",
  "MCP messages with the status error: the protocol, or the way to the server, failed",
  (t) => t.mcp.errors - t.mcp.failed,
);
export const MCP_ERROR_RATIO = number(
  "mcp_error_ratio",
  "Error rate",
  "ratio",
  "Share of failed and error among MCP messages",
  (t) => t.mcp.error_ratio,
);
export const [MCP_LATENCY, MCP_LATENCY_P95] = durations(
  "mcp_duration",
  "Latency",
  "Duration of an MCP request",
  (t) => t.mcp.duration,
);
export const [MCP_START, MCP_START_P95] = durations(
  "mcp_initialization",
  "Initialization",
  "Duration of an MCP initialization",
  (t) => t.mcp.initialization,
);

/**
 * The two kinds of MCP messages that went wrong: 4 failed, 2 error; empty where there was no message.
 *
 * @param {Totals} of
 * @returns {string}
 */
export function mcpErrorKinds(of) {
  if (of.mcp.messages === 0) return "";
  return `${count(of.mcp.failed)} failed, ${count(of.mcp.errors - of.mcp.failed)} error`;
}

/**
 * What is worth to be said of durations that the histogram's last bucket has swallowed; empty where it has not.
 *
 * @param {Durations} durations
 * @returns {string}
 */
export function overflowHint(durations) {
  const share = durations.overflow_ratio ?? 0;
  if (share <= 0) return "";
  const percent =
    share * 100 < 0.1 ? "less than 0.1" : (share * 100).toLocaleString("en-US", { maximumFractionDigits: 1 });
  return `${percent} % took longer than the largest bound of the histogram: percentiles among them are lower bounds.`;
}
