/**
 * The shapes of what the receiver's API answers, for the type checker. It holds no code.
 *
 * Times are seconds since 1970, durations seconds, money USD; docs/openapi.json is where they are defined.
 */

/**
 * @typedef {object} Durations
 * @property {number} count
 * @property {number | null} avg
 * @property {number | null} p50
 * @property {number | null} p75
 * @property {number | null} p90
 * @property {number | null} p95
 * @property {number | null} p99
 * @property {number | null} overflow_ratio share of the observations above the largest bound of the histogram
 */

/**
 * @typedef {object} Tokens
 * @property {number} input
 * @property {number} output
 * @property {number} cached_input
 * @property {number} cache_creation_input
 * @property {number} reasoning
 * @property {number} total input and output
 */

/**
 * @typedef {object} McpTotals
 * @property {number} messages
 * @property {number} requests
 * @property {number} errors failed and error
 * @property {number} failed the tool said so
 * @property {number | null} error_ratio
 * @property {Durations} duration
 * @property {Durations} initialization
 */

/**
 * @typedef {object} Totals
 * @property {number} requests
 * @property {number} errors
 * @property {number | null} error_ratio
 * @property {Tokens} tokens
 * @property {number} cost_usd
 * @property {number} unpriced_tokens
 * @property {Durations} duration
 * @property {Durations} time_to_first_token
 * @property {Durations} time_per_output_token
 * @property {McpTotals} mcp
 */

/** @typedef {"active" | "idle" | "silent" | "logs_only" | "ended"} GatewayState */

/**
 * @typedef {object} Gateway
 * @property {string} namespace
 * @property {string} name
 * @property {GatewayState} state
 * @property {string} state_reason
 * @property {{live: number, ended: number}} pods
 * @property {number | null} last_export
 * @property {number | null} last_log
 * @property {number | null} completeness
 * @property {Totals} totals
 */

/**
 * @typedef {object} Window
 * @property {number} now
 * @property {number} from
 * @property {number} to
 * @property {number} since
 * @property {"store" | "prometheus"} source
 * @property {string | null} [warning] why the numbers are not those of Prometheus
 */

/** @typedef {Window & {gateways: Gateway[], hint?: string | null}} GatewayList */

/**
 * @typedef {object} Pod
 * @property {string} pod
 * @property {string} state
 * @property {number | null} last_export
 * @property {number | null} last_log
 * @property {number | null} interval
 * @property {number} streams
 * @property {Totals} totals
 */

/** @typedef {{backend: string, totals: Totals}} McpBackend */
/** @typedef {{backend: string, method: string, totals: Totals}} McpMethod */
/** @typedef {{backend: string, side: string, type: string, count: number}} McpCapability */
/** @typedef {{provider: string, totals: Totals}} ProviderRow */
/** @typedef {{provider: string, model: string, totals: Totals}} ModelRow */

/**
 * @typedef {object} GatewayParts
 * @property {Gateway} gateway
 * @property {ProviderRow[]} providers
 * @property {ModelRow[]} models
 * @property {{backends: McpBackend[], methods: McpMethod[], capabilities: McpCapability[]}} mcp
 * @property {Pod[]} pods
 */

/** @typedef {Window & GatewayParts} GatewayDocument */

/** @typedef {{key: Record<string, string>, values: Record<string, (number | null)[]>}} Series */

/**
 * @typedef {object} SeriesDocument
 * @property {number} from
 * @property {number} to
 * @property {number} step
 * @property {"store" | "prometheus"} source
 * @property {string | null} [warning] as of a window
 * @property {number[]} times the end of each step
 * @property {Series[]} series
 * @property {number} other how many series were left out
 */

/** A kept access log, flat, as docs/access-log.schema.json has it. @typedef {Record<string, string | number>} LogRecord */

/** @typedef {{logs: LogRecord[], ids: string[], newest: string | null, next: string | null}} LogPage */

/** @typedef {{id: string, log: LogRecord}} KeptRecord */

export {};
