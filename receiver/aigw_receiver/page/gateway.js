/**
 * One gateway: its name and state, the tabs, and the panel of the tab that the address names.
 *
 *     nav.tabs a[data-tab="providers"]   a tab; the open one has aria-current="page"
 *     section[data-panel="providers"]    the panel
 */

import { getGateway } from "./api.js";
import { badge, showState } from "./badge.js";
import { ago, utc } from "./clock.js";
import { el, setAttributes, setText } from "./dom.js";
import { notice } from "./notice.js";
import { McpPanel } from "./mcp.js";
import { OverviewPanel } from "./overview.js";
import { Portion } from "./portion.js";
import { asParameters, readRange } from "./range.js";
import { RequestsPanel } from "./requests.js";
import * as route from "./route.js";
import { makeModels, makePods, makeProviders } from "./splits.js";

/** @typedef {import("./types.js").GatewayDocument} GatewayDocument */

/**
 * What a panel is asked with.
 *
 * @typedef {object} Context
 * @property {{namespace: string, name: string}} gateway
 * @property {route.Route} shown
 * @property {Record<string, string>} range as parameters of the API
 * @property {AbortSignal} signal
 * @property {Portion} portion in which it is drawn
 */

/**
 * @typedef {object} Panel
 * @property {HTMLElement} element
 * @property {(context: Context) => Promise<any>} fetch what it needs beside the gateway's document
 * @property {(document: GatewayDocument, data: any, context: Context) => Promise<void>} show
 * @property {(context: Context) => void} [arrive] told a new address at once
 * @property {() => void} close
 */

/** @type {Record<route.Tab, {label: string, make: () => Panel}>} */
const TABS = {
  overview: { label: "Overview", make: () => new OverviewPanel() },
  providers: { label: "Providers", make: makeProviders },
  models: { label: "Models", make: makeModels },
  mcp: { label: "MCP", make: () => new McpPanel() },
  requests: { label: "Requests", make: () => new RequestsPanel() },
  pods: { label: "Pods", make: makePods },
};

export class GatewayView {
  /** @param {{namespace: string, name: string}} gateway */
  constructor(gateway) {
    this.gateway = gateway;
    /** @type {Panel | null} */
    this.panel = null;
    /** @type {route.Tab | null} */
    this.tab = null;
    this.home = el("a", {}, "Gateways");
    this.state = badge("idle");
    this.facts = el("p", { class: "facts" });
    this.reason = el("div");
    this.reason.dataset["text"] = "";
    this.links = route.TABS.map((tab) => el("a", { "data-tab": tab }, TABS[tab].label));
    this.place = el("section");
    const space = gateway.namespace === "" ? [] : [el("span", { class: "namespace" }, `${gateway.namespace} / `)];
    this.element = el("div", { hidden: true, "data-gateway": `${gateway.namespace}/${gateway.name}` }, [
      el("nav", { class: "path", "aria-label": "Path" }, this.home),
      el("div", { class: "heading" }, [el("h1", {}, [...space, gateway.name]), this.state, this.facts]),
      this.reason,
      el("nav", { class: "tabs", "aria-label": "Parts of the gateway" }, this.links),
      this.place,
    ]);
  }

  title() {
    return `${this.tab === null ? "" : `${TABS[this.tab].label} · `}${this.gateway.name}`;
  }

  /** @param {route.Route} shown */
  arrive(shown) {
    if (shown.path.page !== "gateway") return;
    const { tab } = shown.path;
    const base = route.gatewayPath(this.gateway.namespace, this.gateway.name);
    setAttributes(this.home, { href: route.address("/", shown.query) });
    for (const [number, link] of this.links.entries()) {
      const name = route.TABS[number];
      setAttributes(link, {
        href: route.address(`${base}/${name}`, shown.query),
        "aria-current": name === tab ? "page" : null,
      });
    }
    if (tab !== this.tab) this.open(tab);
    this.panel?.arrive?.(this.context(shown, new AbortController().signal));
  }

  /** @param {route.Tab} tab */
  open(tab) {
    this.panel?.close();
    this.tab = tab;
    this.panel = TABS[tab].make();
    setAttributes(this.place, { "data-panel": tab });
    this.panel.element.hidden = true;
    this.place.replaceChildren(el("p", { class: "loading" }, "Loading…"), this.panel.element);
  }

  /**
   * @param {route.Route} shown
   * @param {AbortSignal} signal
   * @returns {Context}
   */
  context(shown, signal) {
    const range = asParameters(readRange(shown.query));
    return { gateway: this.gateway, shown, range, signal, portion: new Portion(signal) };
  }

  /**
   * @param {route.Route} shown
   * @param {AbortSignal} signal
   * @param {(window: import("./types.js").Window) => void} reveal
   */
  async load(shown, signal, reveal) {
    const context = this.context(shown, signal);
    const panel = this.panel;
    if (panel === null) return;
    const [document, data] = await Promise.all([getGateway(this.gateway, context.range, signal), panel.fetch(context)]);
    signal.throwIfAborted();
    this.showState(document);
    panel.element.hidden = false;
    this.place.querySelector(".loading")?.remove();
    reveal({ ...document, warning: document.warning ?? warningOf(data) });
    context.portion = new Portion(signal);
    await panel.show(document, data, context);
    this.element.dataset["filled"] = "";
  }

  close() {
    this.panel?.close();
  }

  /** @param {GatewayDocument} document */
  showState({ gateway, now }) {
    showState(this.state, gateway.state);
    const pods = `${gateway.pods.live} live ${gateway.pods.live === 1 ? "pod" : "pods"}`;
    const heard =
      gateway.last_export === null ? "no export of metrics yet" : `last export ${ago(gateway.last_export, now)}`;
    setText(this.facts, `${pods} · ${heard}`);
    setAttributes(this.facts, { title: gateway.last_export === null ? null : utc(gateway.last_export) });
    const text = gateway.state === "active" ? "" : gateway.state_reason;
    if (this.reason.dataset["text"] === text) return;
    this.reason.dataset["text"] = text;
    const kind = gateway.state === "silent" || gateway.state === "logs_only" ? "warning" : "info";
    this.reason.replaceChildren(...(text === "" ? [] : [notice(kind, "", text)]));
  }
}

/**
 * What the answers of a panel warn of: one document, or several by name.
 *
 * @param {any} data
 * @returns {string | null}
 */
function warningOf(data) {
  const documents = data === null || typeof data !== "object" ? [] : [data, ...Object.values(data)];
  return documents.map((each) => each?.warning).find((each) => typeof each === "string") ?? null;
}
