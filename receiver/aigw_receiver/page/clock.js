/** Moments as people read them: local time with its zone, and the exact one in UTC. All are seconds since 1970. */

import { el, setAttributes, setText } from "./dom.js";
import { NONE, span } from "./format.js";

const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const TIME = new Intl.DateTimeFormat("en-GB", /** @type {any} */ ({ ...CLOCK, second: "2-digit" }));
const MINUTE = new Intl.DateTimeFormat("en-GB", /** @type {any} */ (CLOCK));
const DAY = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric" });
const ZONE = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });

/**
 * The short name of the local zone at a moment, as CET or UTC.
 *
 * @param {number} seconds
 * @returns {string}
 */
export function zone(seconds) {
  const part = ZONE.formatToParts(seconds * 1000).find((each) => each.type === "timeZoneName");
  return part?.value ?? "";
}

/**
 * 14:03:07, with the day before it where that is not the day of `now`.
 *
 * @param {number} seconds
 * @param {number} now
 * @returns {string}
 */
export function local(seconds, now) {
  const time = TIME.format(seconds * 1000);
  const day = DAY.format(seconds * 1000);
  return day === DAY.format(now * 1000) ? time : `${day}, ${time}`;
}

/**
 * 14:03, with the day before it where that is not the day of `now`.
 *
 * @param {number} seconds
 * @param {number} now
 * @returns {string}
 */
export function localMinute(seconds, now) {
  const time = MINUTE.format(seconds * 1000);
  const day = DAY.format(seconds * 1000);
  return day === DAY.format(now * 1000) ? time : `${day}, ${time}`;
}

/**
 * The day: Nov 23.
 *
 * @param {number} seconds
 * @returns {string}
 */
export function day(seconds) {
  return DAY.format(seconds * 1000);
}

/**
 * 2026-11-23 13:03:07.250 UTC.
 *
 * @param {number} seconds
 * @returns {string}
 */
export function utc(seconds) {
  return `${iso(seconds).replace("T", " ").replace("Z", "")} UTC`;
}

/**
 * As a machine reads it, to the millisecond: a date would cut off what a float has too little.
 *
 * @param {number} seconds
 * @returns {string}
 */
function iso(seconds) {
  return new Date(Math.round(seconds * 1000)).toISOString();
}

/**
 * How long ago something was, in one unit: 95 s ago, 2 min ago.
 *
 * @param {number | null} seconds
 * @param {number} now
 * @returns {string}
 */
export function ago(seconds, now) {
  if (seconds === null) return NONE;
  const passed = now - seconds;
  if (passed < 1) return "just now";
  if (passed < 120) return `${Math.floor(passed)} s ago`;
  return `${span(passed, 1)} ago`;
}

/**
 * An element with a moment in local time; the exact one is its title.
 *
 * @param {number} seconds
 * @param {number} now
 * @returns {HTMLTimeElement}
 */
export function timeElement(seconds, now) {
  const element = el("time");
  setTime(element, seconds, local(seconds, now));
  return element;
}

/**
 * Makes an element say a moment.
 *
 * @param {HTMLTimeElement} element
 * @param {number} seconds
 * @param {string} text
 */
export function setTime(element, seconds, text) {
  setText(element, text);
  setAttributes(element, { datetime: iso(seconds), title: utc(seconds) });
}
