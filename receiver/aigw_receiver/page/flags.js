/** What Envoy's response flags mean. Source: Envoy's documentation, "Access logging: RESPONSE_FLAGS". */

/** @type {Record<string, string>} */
const MEANINGS = {
  DC: "the client closed the connection",
  DF: "the name of the upstream could not be resolved",
  DI: "the request was delayed on purpose",
  DO: "the overload manager dropped the request",
  DPE: "the client's request broke the HTTP protocol",
  DR: "the client reset its stream",
  DT: "the request or connection was open for longer than it may be",
  FI: "the request was aborted on purpose",
  IH: "a header was refused",
  LH: "the gateway failed its own health check",
  LR: "the gateway reset the connection",
  NC: "the upstream cluster does not exist",
  NFCF: "no filter configuration was found in time",
  NR: "no route matched the request",
  OM: "the overload manager ended the request",
  RFCF: "the answer was made from a cache",
  RL: "the request was over a rate limit",
  RLSE: "the rate limit service failed",
  SI: "the stream was idle for too long",
  UAEX: "the external authorization refused it",
  UC: "the upstream closed the connection",
  UDO: "the upstream's overload manager dropped the request",
  UF: "the connection to the upstream failed",
  UH: "no upstream host was healthy",
  UMSDR: "the upstream did not answer within the longest time of a stream",
  UO: "the circuit breaker of the upstream was open",
  UPE: "the upstream's answer broke the HTTP protocol",
  UR: "the upstream reset the stream",
  URX: "no retry succeeded",
  UT: "the upstream did not answer in time",
};

/**
 * The flags of a record, each with what it means.
 *
 * @param {string} flags separated by commas
 * @returns {string}
 */
export function explain(flags) {
  return flags
    .split(",")
    .map((flag) => flag.trim())
    .map((flag) => (MEANINGS[flag] === undefined ? flag : `${flag} (${MEANINGS[flag]})`))
    .join(", ");
}
