/**
 * Where the numbers come from, how fresh they are, and what screen readers are told.
 *
 *     #source [data-source="store"]   where from
 *     #stale                          shown while a refresh has failed
 *     #warning [data-notice]          what the receiver warns of
 *     #missing-past                   shown where the range begins before the receiver knows anything
 */

import { local, localMinute, utc, zone } from "./clock.js";
import { byId, el, setAttributes, setText } from "./dom.js";
import { button, notice } from "./notice.js";

/** @typedef {import("./types.js").Window} Window */

/** @type {number} when data were last shown, seconds since 1970; 0 before */
let shown = 0;

/** Says that something is on its way. @param {boolean} busy */
export function setBusy(busy) {
  setAttributes(byId("main"), { "aria-busy": busy ? "true" : null });
  setAttributes(byId("reload"), { "data-busy": busy });
}

/**
 * Says that what is shown is fresh.
 *
 * @param {Window} window
 * @param {() => void} retry
 */
export function setFresh(window, retry) {
  byId("stale").hidden = true;
  shown = Date.now() / 1000;
  const updated = byId("updated");
  setText(updated, `Updated ${local(shown, shown)} ${zone(shown)}`);
  setAttributes(updated, { title: utc(shown) });
  showSource(window);
  showWarning(window.warning ?? "", retry);
}

/**
 * Says what the receiver warns of, once for as long as it does; an empty text takes it back.
 *
 * @param {string} text
 * @param {() => void} retry
 */
export function showWarning(text, retry) {
  const element = byId("warning");
  if ((element.dataset["text"] ?? "") === text) return;
  element.dataset["text"] = text;
  element.replaceChildren(...(text === "" ? [] : [notice("warning", "", text, [button("Try again", retry)])]));
}

/** @param {Window} window */
function showSource({ source, since, now, from, warning }) {
  const element = byId("source");
  setAttributes(element, { "data-source": source, title: since > 0 ? utc(since) : null });
  const begun = since > 0 ? ` since ${localMinute(since, now)} ${zone(since)}` : "";
  setText(element, source === "prometheus" ? "Data from Prometheus" : `Data from the receiver${begun}`);
  const missing = byId("missing-past");
  // A range begins some seconds before the first step as often as not.
  missing.hidden = source !== "store" || since <= 0 || from >= since - 60;
  const begin = `The receiver has numbers since ${localMinute(since, now)} ${zone(since)} only`;
  // A warning tells of a Prometheus that is set.
  const hint = warning ? "" : " Longer ranges come from Prometheus where page.prometheus.url is set.";
  setText(missing, `${begin}: this time range begins before that.${hint}`);
}

/**
 * Says that what is shown is old, and why.
 *
 * @param {string} why
 * @param {() => void} retry
 */
export function setStale(why, retry) {
  const element = byId("stale");
  element.hidden = false;
  const when = shown > 0 ? `Not up to date: this is as of ${local(shown, shown)}. ` : "";
  const text = `${when}The last refresh failed: ${why}`;
  if (element.dataset["text"] === text) return;
  element.dataset["text"] = text;
  element.replaceChildren(el("span", {}, text), button("Try again", retry));
}

/** Tells screen readers something. @param {string} text */
export function announce(text) {
  setText(byId("announcement"), text);
}
