/**
 * The controls at the head of the page: time range and auto refresh. What they set stands in the address.
 *
 *     #range button[data-from="-1h"]   a range; #custom-range the form of another one
 *     #refresh                         "off", "10s", "30s" or "1m"
 */

import { zone } from "./clock.js";
import { byId, el, setAttributes, setText } from "./dom.js";
import { DEFAULT_FROM, PRESETS, isMoving, readRange, toAddress, toSeconds } from "./range.js";
import * as route from "./route.js";

/** Seconds between two refreshes, by what the address says. @type {Record<string, number>} */
const REFRESHES = { off: 0, "10s": 10, "30s": 30, "1m": 60 };

const DEFAULT_REFRESH = "10s";

/**
 * Seconds until the next refresh of what the address shows; 0 where there is none.
 *
 * @param {URLSearchParams} query
 * @returns {number}
 */
export function refreshSeconds(query) {
  return isMoving(readRange(query)) ? (REFRESHES[query.get("refresh") ?? DEFAULT_REFRESH] ?? 0) : 0;
}

/**
 * Makes the controls once.
 *
 * @param {() => void} reload called where somebody wants to see the present
 */
export function setUp(reload) {
  const buttons = PRESETS.map(([from, text, name]) =>
    el("button", { type: "button", "data-from": from, title: `Last ${name}` }, text, { click: () => choose(from) }),
  );
  const custom = el(
    "button",
    { type: "button", "data-from": "custom", "aria-expanded": "false", "aria-controls": "custom-range" },
    "Custom",
    { click: toggle },
  );
  byId("range").append(...buttons, custom);
  const form = byId("custom-range");
  form.addEventListener("submit", apply);
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    open(false);
    custom.focus();
  });
  byId("refresh").addEventListener("change", (event) => {
    const { value } = /** @type {HTMLSelectElement} */ (event.target);
    route.rewrite(route.changed({ refresh: value === DEFAULT_REFRESH ? null : value }));
    reload();
  });
  byId("reload").addEventListener("click", reload);
}

/**
 * Shows what the address says.
 *
 * @param {URLSearchParams} query
 */
export function show(query) {
  const range = readRange(query);
  const preset = isMoving(range) && PRESETS.some(([from]) => from === range.from) ? range.from : "custom";
  for (const button of byId("range").querySelectorAll("button")) {
    setAttributes(button, { "aria-pressed": String(button.dataset["from"] === preset) });
  }
  const refresh = /** @type {HTMLSelectElement} */ (byId("refresh"));
  refresh.value = query.get("refresh") ?? DEFAULT_REFRESH;
  // What has ended does not change.
  refresh.disabled = !isMoving(range);
  setText(byId("custom-zone"), `Times are ${zone(Date.now() / 1000)}.`);
}

/** @param {string} from */
function choose(from) {
  open(false);
  route.go(route.changed({ from: from === DEFAULT_FROM ? null : from, to: null }));
}

function toggle() {
  const opened = byId("custom-range").hidden !== false;
  open(opened);
  if (!opened) return;
  const now = Date.now() / 1000;
  const range = readRange(new URLSearchParams(location.search));
  input("custom-from").value = toInput(toSeconds(range.from, now));
  input("custom-to").value = toInput(toSeconds(range.to, now));
  setText(byId("custom-error"), "");
  input("custom-from").focus();
}

/** @param {boolean} opened */
function open(opened) {
  byId("custom-range").hidden = !opened;
  byId("range").querySelector("[data-from=custom]")?.setAttribute("aria-expanded", String(opened));
}

/** @param {Event} event */
function apply(event) {
  event.preventDefault();
  const [from, to] = ["custom-from", "custom-to"].map((id) => Date.parse(input(id).value) / 1000);
  if (from === undefined || to === undefined || !(from < to)) {
    setText(byId("custom-error"), "The first time must be before the second.");
    return;
  }
  open(false);
  route.go(route.changed({ from: toAddress(from), to: toAddress(to) }));
}

/** @param {string} id */
function input(id) {
  return /** @type {HTMLInputElement} */ (byId(id));
}

/**
 * A moment as an input of local date and time wants it.
 *
 * @param {number} seconds
 * @returns {string}
 */
function toInput(seconds) {
  const moment = new Date((Number.isNaN(seconds) ? Date.now() / 1000 : seconds) * 1000);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
