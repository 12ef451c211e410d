/**
 * Starts the page: shows the view that the address means, loads it, and loads it again from time to time.
 *
 * A view is what one kind of address shows. It is made when it is needed, brought up to date in place, and closed when
 * another one comes. `body[data-loaded]` counts the loads that have ended, for tests.
 */

import { ApiError } from "./api.js";
import * as controls from "./controls.js";
import { byId, el } from "./dom.js";
import { GatewayView } from "./gateway.js";
import { GatewaysView } from "./gateways.js";
import { button, notice } from "./notice.js";
import * as route from "./route.js";
import * as status from "./status_line.js";

/**
 * @typedef {object} View
 * @property {HTMLElement} element
 * @property {Load} load draws in portions, and reveals itself as soon as there is something to see
 * @property {() => string} title of what was loaded
 * @property {(shown: route.Route) => void} [arrive] told a new address at once, before anything is loaded
 * @property {() => void} close
 */

/** @typedef {(shown: route.Route, signal: AbortSignal, reveal: Reveal) => Promise<void>} Load */
/** @typedef {(window: import("./types.js").Window) => void} Reveal */

/** @type {View | null} */
let view = null;
let viewKey = "";
/** @type {string} what was last announced, which no refresh says again */
let announced = "";
let loading = new AbortController();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {route.Path} path @returns {string} */
function keyOf(path) {
  return path.page === "gateway" ? `gateway ${path.namespace}/${path.name}` : path.page;
}

/** @param {route.Path} path @returns {View | null} */
function makeView(path) {
  if (path.page === "gateways") return new GatewaysView();
  return path.page === "gateway" ? new GatewayView(path) : null;
}

/** Shows what the address means. */
function arrive() {
  const shown = route.current();
  const key = keyOf(shown.path);
  controls.show(shown.query);
  const home = /** @type {HTMLAnchorElement} */ (byId("home"));
  home.setAttribute("href", route.address("/", shown.query));
  if (key !== viewKey) {
    const first = viewKey === "";
    view?.close();
    view = makeView(shown.path);
    viewKey = key;
    byId("load-error").replaceChildren();
    byId("content").replaceChildren(view === null ? missing() : view.element);
    byId("stale").hidden = true;
    byId("missing-past").hidden = true;
    status.showWarning("", () => void load());
    scrollTo(0, 0);
    // A new page is read from its beginning, as after any other link.
    if (!first) byId("main").focus({ preventScroll: true });
  }
  view?.arrive?.(shown);
  void load();
}

/** Loads the view, and again after a while. */
async function load() {
  clearTimeout(timer);
  loading.abort();
  const controller = (loading = new AbortController());
  const shown = route.current();
  if (view === null) {
    document.title = "Not found · AI Gateway telemetry";
    return;
  }
  status.setBusy(true);
  try {
    await view.load(shown, controller.signal, reveal);
    if (controller.signal.aborted) return;
    document.title = `${view.title()} · AI Gateway telemetry`;
    const heard = `${view.title()} loaded`;
    if (heard !== announced) status.announce((announced = heard));
  } catch (error) {
    if (controller.signal.aborted) return;
    fail(error);
  }
  status.setBusy(false);
  document.body.dataset["loaded"] = String(Number(document.body.dataset["loaded"] ?? 0) + 1);
  schedule(shown.query);
}

/** Shows what is drawn of the view. @type {Reveal} */
function reveal(window) {
  byId("load-error").replaceChildren();
  if (view !== null) view.element.hidden = false;
  status.setFresh(window, () => void load());
}

/** @param {unknown} error */
function fail(error) {
  if (!(error instanceof ApiError)) console.error(error);
  const why = error instanceof Error ? error.message : String(error);
  const place = byId("load-error");
  if (
    view !== null &&
    view.element.dataset["filled"] !== undefined &&
    !(error instanceof ApiError && error.status === 404)
  ) {
    status.setStale(why, () => void load());
    return;
  }
  if (view !== null) view.element.hidden = true;
  const title = error instanceof ApiError && error.status === 404 ? "Not known here" : "This cannot be shown";
  place.replaceChildren(
    el("h1", { class: "hidden" }, title),
    notice("error", title, why, [button("Try again", () => void load()), overview()]),
  );
}

/** @param {URLSearchParams} query */
function schedule(query) {
  clearTimeout(timer);
  const seconds = controls.refreshSeconds(query);
  if (seconds > 0 && !document.hidden) timer = setTimeout(() => void load(), seconds * 1000);
}

/** @returns {HTMLAnchorElement} */
function overview() {
  return el("a", { class: "button", href: route.address("/", new URLSearchParams(location.search)) }, "All gateways");
}

/** @returns {HTMLElement} */
function missing() {
  const title = "There is no such page";
  return el("div", {}, [
    el("h1", { class: "hidden" }, title),
    notice("empty", title, "The address may have been cut off.", [overview()]),
  ]);
}

controls.setUp(() => void load());
route.follow(arrive);
// Nobody looks at a hidden page; who comes back wants to see the present.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else if (controls.refreshSeconds(route.current().query) > 0) void load();
});
arrive();
