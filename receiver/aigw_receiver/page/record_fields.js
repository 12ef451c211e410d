/** The fields of a kept record, in groups, with their names for people: docs/access-log.schema.json. Pure. */

import { nameOf } from "./badge.js";
import { utc } from "./clock.js";
import { explain } from "./flags.js";
import * as format from "./format.js";

/** @typedef {import("./types.js").LogRecord} LogRecord */
/** @typedef {{name: string, label: string, text: string, value: string}} Field */

/** @type {(value: string | number) => string} */
const asCount = (value) => format.full(Number(value));
/** @type {(value: string | number) => string} */
const asMilliseconds = (value) => format.duration(Number(value) / 1000);
/** @type {(value: string | number) => string} */
const asBytes = (value) => format.bytes(Number(value));

/**
 * Groups of fields: name, label, and how the value is written.
 *
 * @type {[string, [string, string, ((value: string | number) => string)?][]][]}
 */
const GROUPS = [
  [
    "Request",
    [
      ["time", "Began", (value) => utc(Date.parse(String(value)) / 1000)],
      ["ai_route_type", "Kind", (value) => String(value).toUpperCase()],
      ["method", "Method"],
      ["path", "Path"],
      ["status", "Status"],
      ["ending", "Ended as", (value) => nameOf(String(value))],
      ["duration_ms", "Duration", asMilliseconds],
      ["time_to_first_token_ms", "Time to first token", asMilliseconds],
      ["inter_token_latency_ms", "Time per further token", asMilliseconds],
      ["bytes_received", "Body of the request", asBytes],
      ["bytes_sent", "Body of the answer", asBytes],
    ],
  ],
  [
    "Model and provider",
    [
      ["requested_model", "Model asked for"],
      ["answered_model", "Model that answered"],
      ["provider", "Provider"],
      ["backend", "Backend"],
      ["route", "Route"],
      ["upstream_host", "Upstream host"],
    ],
  ],
  [
    "MCP",
    [
      ["mcp_method", "Method"],
      ["mcp_tool", "Tool"],
      ["mcp_backend", "Server"],
    ],
  ],
  [
    "Tokens and cost",
    [
      ["input_tokens", "Input tokens", asCount],
      ["cached_input_tokens", "of these cached", asCount],
      ["cache_creation_input_tokens", "of these written to the cache", asCount],
      ["output_tokens", "Output tokens", asCount],
      ["reasoning_tokens", "of these reasoning", asCount],
      ["total_tokens", "Tokens in total", asCount],
      ["cost_usd", "Cost", (value) => format.money(Number(value))],
      ["price_entry", "Price taken from"],
    ],
  ],
  [
    "What went wrong",
    [
      ["response_flags", "Response flags", (value) => explain(String(value))],
      ["response_code_details", "Details"],
      ["upstream_failure_reason", "Upstream failure"],
      ["connection_termination", "Connection closed"],
    ],
  ],
  [
    "Who and where",
    [
      ["gateway_namespace", "Namespace"],
      ["gateway_name", "Gateway"],
      ["gateway_pod", "Pod"],
      ["request_id", "Request id"],
      ["session_id", "Session"],
      ["user_agent", "User agent"],
    ],
  ],
  [
    "Kept",
    [
      ["rules", "Rules"],
      [
        "weight",
        "Stands for",
        (value) => `${format.full(Number(value))} ${Number(value) === 1 ? "request" : "requests"}`,
      ],
    ],
  ],
  ["Text", [["body", "Line"]]],
];

const ATTRIBUTE = "attributes.";
const KNOWN = new Set(GROUPS.flatMap(([, fields]) => fields.map(([name]) => name)));

/**
 * All fields of a record, in groups; groups that have none are left out.
 *
 * @param {LogRecord} record
 * @returns {{title: string, fields: Field[]}[]}
 */
export function groupFields(record) {
  const groups = GROUPS.map(([title, fields]) => ({
    title,
    fields: fields.flatMap(([name, label, write]) => toField(record, name, label, write)),
  }));
  const others = Object.keys(record).filter((name) => !KNOWN.has(name));
  const label = (/** @type {string} */ name) => (name.startsWith(ATTRIBUTE) ? name.slice(ATTRIBUTE.length) : name);
  groups.push({ title: "Other attributes", fields: others.flatMap((name) => toField(record, name, label(name))) });
  return groups.filter(({ fields }) => fields.length > 0);
}

/**
 * @param {LogRecord} record
 * @param {string} name
 * @param {string} label
 * @param {(value: string | number) => string} [write]
 * @returns {Field[]}
 */
function toField(record, name, label, write = String) {
  const value = record[name];
  return value === undefined || value === "" ? [] : [{ name, label, text: write(value), value: String(value) }];
}
