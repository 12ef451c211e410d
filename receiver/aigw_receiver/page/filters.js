/**
 * The parameters of the search for kept requests, as they stand in the address: the same names as those of GET /api/logs.
 * Pure, but for what it reads of the query that it is given.
 */

/** Names of endings, rules and kinds of route: docs/access-log.schema.json. */
export const ENDINGS = ["ok", "client_error", "upstream_error", "gateway_error", "timeout", "aborted", "tool_error"];
export const RULES = ["errors", "upstream_failure", "slow", "tokens", "mcp_errors", "aborted", "sample"];

/** Parameters that people write, any of whose values will do: name, label, example. */
export const WRITTEN = /** @type {const} */ ([
  ["status", "Status", "429, 5xx, none"],
  ["model", "Model", "asked for or answered"],
  ["provider", "Provider", "as openai"],
  ["backend", "Backend", "NAMESPACE/NAME"],
  ["tool", "MCP tool", "name of a tool"],
  ["pod", "Pod", "name of a pod"],
]);

export const LIMITS = ["50", "100", "500", "1000"];
export const DEFAULT_LIMIT = "100";

const NAMES = ["text", "route_type", "ending", "rule", ...WRITTEN.map(([name]) => name)];

/**
 * The filters that are set: name and value of each.
 *
 * @param {URLSearchParams} query
 * @returns {[string, string][]}
 */
export function active(query) {
  return NAMES.flatMap((name) => query.getAll(name).map((value) => /** @type {[string, string]} */ ([name, value])));
}

/**
 * The parameters of GET /api/logs/stream.
 *
 * @param {{namespace: string, name: string}} gateway
 * @param {URLSearchParams} query
 * @returns {URLSearchParams}
 */
export function toStream(gateway, query) {
  return new URLSearchParams([["gateway", `${gateway.namespace}/${gateway.name}`], ...active(query)]);
}

/**
 * The parameters of GET /api/logs.
 *
 * @param {{namespace: string, name: string}} gateway
 * @param {URLSearchParams} query
 * @param {Record<string, string>} range
 * @param {string} cursor of the page; empty for the first one
 * @returns {URLSearchParams}
 */
export function toSearch(gateway, query, range, cursor) {
  const search = toStream(gateway, query);
  for (const [name, value] of Object.entries(range)) search.set(name, value);
  search.set("limit", query.get("limit") ?? DEFAULT_LIMIT);
  if (cursor !== "") search.set("cursor", cursor);
  return search;
}

/**
 * What somebody wrote into a field, as values of a parameter. Status is a list already.
 *
 * @param {string} name
 * @param {string} text
 * @returns {string[]}
 */
export function split(name, text) {
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  return name === "status" && parts.length > 0 ? [parts.join(",")] : parts;
}
