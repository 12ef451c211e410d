/** Why a record was kept, in plain words: docs/sampling.md. It decides nothing, and computes no rule again. */

import { explain } from "./flags.js";
import * as format from "./format.js";

/** @typedef {import("./types.js").LogRecord} LogRecord */

/** @type {Record<string, string>} */
const NAMES = {
  errors: "Errors",
  upstream_failure: "Upstream failure",
  slow: "Slow",
  tokens: "Many tokens",
  mcp_errors: "MCP errors",
  aborted: "Aborted",
  sample: "Sample",
};

/** The rule as people call it. @param {string} rule */
export function nameOfRule(rule) {
  return NAMES[rule] ?? rule;
}

/** @param {LogRecord} record @returns {string[]} */
export function rulesOf(record) {
  return text(record, "rules")
    .split(",")
    .filter((rule) => rule !== "");
}

/**
 * A sentence for each rule that kept a record.
 *
 * @param {LogRecord} record
 * @returns {{rule: string, sentence: string}[]}
 */
export function explainRules(record) {
  return rulesOf(record).map((rule) => ({ rule, sentence: SENTENCES[rule]?.(record) ?? `The rule ${rule} kept it.` }));
}

/**
 * For how many requests a record stands, in a sentence; empty where for itself alone.
 *
 * @param {LogRecord} record
 * @returns {string}
 */
export function explainWeight(record) {
  const weight = number(record, "weight") ?? 1;
  if (weight <= 1) return "It stands for itself alone: nothing like it was dropped.";
  const requests = format.full(Math.round(weight * 100) / 100);
  return `It stands for ${requests} requests: itself, and others that were dropped as samples or for a rule's budget.`;
}

/** @type {Record<string, (record: LogRecord) => string>} */
const SENTENCES = {
  errors: (record) => `The LLM request failed: ${failure(record)}.`,
  mcp_errors: (record) =>
    `The MCP request failed: ${text(record, "ending") === "tool_error" ? "the tool said so" : failure(record)}.`,
  upstream_failure: (record) => {
    const reason = text(record, "upstream_failure_reason");
    return `It failed on the way to the provider: ${reason || failure(record)}.`;
  },
  slow: (record) => {
    const took = number(record, "duration_ms");
    const time = took === undefined ? "It took long" : `It took ${format.duration(took / 1000)}`;
    const model = text(record, "answered_model") || text(record, "requested_model");
    const learned =
      text(record, "ai_route_type") === "llm"
        ? `, or longer than 99 of 100 requests of ${model || "its model"} at this gateway`
        : "";
    return `${time}: as long as the limit of the rule or longer${learned}.`;
  },
  tokens: (record) => {
    const total = number(record, "total_tokens");
    return `It used ${total === undefined ? "many" : format.full(total)} tokens: as many as the limit of the rule or more.`;
  },
  aborted: () => "The client went away before the answer was complete.",
  sample: () => "It is an ordinary request that was kept by chance, as a sample.",
};

/**
 * What went wrong, as far as the record tells.
 *
 * @param {LogRecord} record
 * @returns {string}
 */
function failure(record) {
  const status = number(record, "status");
  const flags = text(record, "response_flags");
  const answered = status === undefined ? "no answer was sent" : `it was answered with status ${status}`;
  return flags === "" ? answered : `${answered}, and Envoy flagged it ${explain(flags)}`;
}

/** @param {LogRecord} record @param {string} name */
function text(record, name) {
  const value = record[name];
  return value === undefined ? "" : String(value);
}

/** @param {LogRecord} record @param {string} name */
function number(record, name) {
  const value = record[name];
  return typeof value === "number" ? value : undefined;
}
