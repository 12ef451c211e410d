/** States in words and shape, never in colour alone. A badge is `[data-state="active"]`. */

import { el, setAttributes, setText } from "./dom.js";

/**
 * What each state is called, and how it looks: "good", "quiet", "warning" or "bad".
 *
 * @type {Record<string, [string, string]>}
 */
const STATES = {
  active: ["Active", "good"],
  idle: ["Idle", "quiet"],
  silent: ["Silent", "bad"],
  logs_only: ["Logs only", "warning"],
  ended: ["Ended", "quiet"],
  live: ["Live", "good"],
  ok: ["OK", "good"],
  client_error: ["Client error", "warning"],
  upstream_error: ["Upstream error", "bad"],
  gateway_error: ["Gateway error", "bad"],
  timeout: ["Timeout", "bad"],
  aborted: ["Aborted", "warning"],
  tool_error: ["Tool error", "bad"],
};

const SHAPES = /** @type {Record<string, string>} */ ({ good: "●", quiet: "○", warning: "▲", bad: "■" });

/** The words of a state. @param {string} state */
export function nameOf(state) {
  return STATES[state]?.[0] ?? state;
}

/** @param {string} state @returns {HTMLSpanElement} */
export function badge(state) {
  const element = el("span", {}, [el("span", { "aria-hidden": "true", class: "badge-shape" }), el("span")]);
  showState(element, state);
  return element;
}

/**
 * Makes a badge show another state.
 *
 * @param {HTMLElement} element
 * @param {string} state
 */
export function showState(element, state) {
  const look = STATES[state]?.[1] ?? "quiet";
  setAttributes(element, { class: `badge badge-${look}`, "data-state": state });
  const [shape, name] = element.children;
  if (shape !== undefined) setText(shape, SHAPES[look] ?? "");
  if (name !== undefined) setText(name, nameOf(state));
}

/**
 * Makes a cell hold a badge, and no second one when it is called again.
 *
 * @param {HTMLElement} cell
 * @param {string} state
 */
export function showBadge(cell, state) {
  const known = cell.firstElementChild;
  if (known instanceof HTMLElement) showState(known, state);
  else cell.append(badge(state));
  setAttributes(cell, { "data-field": "state", "data-value": state });
}
