/** What the page says when something is empty, out of date or wrong. It decides nothing. */

import { el } from "./dom.js";

/**
 * Words in a box: `[data-notice="empty"]`.
 *
 * @param {"empty" | "error" | "warning" | "info"} kind
 * @param {string} title
 * @param {string} text
 * @param {HTMLElement[]} [actions]
 * @returns {HTMLElement}
 */
export function notice(kind, title, text, actions = []) {
  return el("div", { class: `notice notice-${kind}`, "data-notice": kind, role: kind === "error" ? "alert" : null }, [
    title === "" ? null : el("p", { class: "notice-title" }, title),
    text === "" ? null : el("p", {}, text),
    actions.length === 0 ? null : el("p", { class: "notice-actions" }, actions),
  ]);
}

/**
 * A button.
 *
 * @param {string} text
 * @param {() => void} press
 * @returns {HTMLButtonElement}
 */
export function button(text, press) {
  return el("button", { type: "button", class: "button" }, text, { click: press });
}
