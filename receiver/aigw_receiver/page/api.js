/** Asks the receiver's API. What goes wrong is an ApiError, whose message is for people. */

import { gatewayPath } from "./route.js";

/** What the API, or the way to it, answered instead of data. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status 0 where nothing was answered
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @typedef {import("./types.js").GatewayList} GatewayList */
/** @typedef {import("./types.js").GatewayDocument} GatewayDocument */
/** @typedef {import("./types.js").SeriesDocument} SeriesDocument */
/** @typedef {import("./types.js").LogPage} LogPage */

/**
 * @param {Record<string, string>} range
 * @param {AbortSignal} signal
 * @returns {Promise<GatewayList>}
 */
export async function getGateways(range, signal) {
  return get("/api/gateways", new URLSearchParams(range), signal);
}

/**
 * @param {{namespace: string, name: string}} gateway
 * @param {Record<string, string>} range
 * @param {AbortSignal} signal
 * @returns {Promise<GatewayDocument>}
 */
export async function getGateway(gateway, range, signal) {
  return get(`/api${gatewayPath(gateway.namespace, gateway.name)}`, new URLSearchParams(range), signal);
}

/**
 * @param {{namespace: string, name: string}} gateway
 * @param {string} view
 * @param {string[]} values
 * @param {Record<string, string>} range
 * @param {AbortSignal} signal
 * @returns {Promise<SeriesDocument>}
 */
export async function getSeries(gateway, view, values, range, signal) {
  const query = new URLSearchParams({ ...range, view, values: values.join(","), top: "8" });
  return get(`/api${gatewayPath(gateway.namespace, gateway.name)}/series`, query, signal);
}

/**
 * @param {URLSearchParams} query
 * @param {AbortSignal} signal
 * @returns {Promise<LogPage>}
 */
export async function getLogs(query, signal) {
  return get("/api/logs", query, signal);
}

/**
 * @param {string} path
 * @param {URLSearchParams} query
 * @param {AbortSignal} signal
 * @returns {Promise<any>}
 */
export async function get(path, query, signal) {
  const text = query.toString();
  let response;
  try {
    response = await fetch(text ? `${path}?${text}` : path, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ApiError("The receiver cannot be reached.", 0);
  }
  const body = await readJson(response);
  if (response.ok && body !== null) return body;
  const said =
    body !== null && typeof body.error === "string" ? body.error : `${response.status} ${response.statusText}`;
  throw new ApiError(said, response.status);
}

/**
 * @param {Response} response
 * @returns {Promise<any>} null where it is no JSON
 */
async function readJson(response) {
  try {
    return await response.json();
  } catch {
    return null;
  }
}
