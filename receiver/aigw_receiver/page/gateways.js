/**
 * The gateways at a glance. Beside what `table.js`, `tiles.js` and `field.js` document:
 *
 *     tr[data-gateway="NAMESPACE/NAME"]   a gateway
 *     #filter                             the text that names must contain
 */

import { getGateways } from "./api.js";
import { showBadge } from "./badge.js";
import { ago, utc } from "./clock.js";
import { el, setAttributes, setText } from "./dom.js";
import * as format from "./format.js";
import { notice } from "./notice.js";
import { Portion } from "./portion.js";
import { asParameters, readRange } from "./range.js";
import * as route from "./route.js";
import { Table, numberColumn } from "./table.js";
import { Tiles } from "./tiles.js";
import * as totals from "./totals.js";

/** @typedef {import("./types.js").Gateway} Gateway */
/** @typedef {import("./types.js").GatewayList} GatewayList */
/** @typedef {import("./table.js").Column<Gateway>} Column */

// States whose reason somebody should read at once.
const TROUBLED = new Set(["silent", "logs_only"]);

export class GatewaysView {
  constructor() {
    /** @type {GatewayList | null} */
    this.list = null;
    this.query = new URLSearchParams();
    this.tiles = new Tiles("All gateways together", [
      { field: "gateways", label: "Gateways", unit: "count" },
      ...[totals.REQUESTS, totals.ERRORS, totals.TOTAL, totals.COST],
    ]);
    this.filter = el(
      "input",
      {
        id: "filter",
        type: "search",
        placeholder: "Filter by name or namespace",
        "aria-label": "Filter gateways by name or namespace",
        autocomplete: "off",
        spellcheck: "false",
      },
      [],
      { input: () => this.applyFilter() },
    );
    this.found = el("span", { class: "found", role: "status" });
    this.table = new Table({
      name: "gateways",
      caption: "Gateways",
      only: true,
      sort: "gateway",
      empty: "No gateway has this in its name.",
      keyOf: nameOf,
      columns: this.columns(),
    });
    this.hint = el("div");
    this.section = el("div", {}, [
      this.tiles.element,
      el("div", { class: "card" }, [el("div", { class: "table-head" }, [this.filter, this.found]), this.table.element]),
    ]);
    this.element = el("div", { hidden: true }, [el("h1", {}, "Gateways"), this.hint, this.section]);
  }

  title() {
    return "Gateways";
  }

  /** @param {route.Route} shown */
  arrive(shown) {
    this.query = shown.query;
    this.filter.value = shown.query.get("filter") ?? "";
  }

  /**
   * @param {route.Route} shown
   * @param {AbortSignal} signal
   * @param {(window: import("./types.js").Window) => void} reveal
   */
  async load(shown, signal, reveal) {
    const list = await getGateways(asParameters(readRange(shown.query)), signal);
    this.list = list;
    this.query = shown.query;
    const drawn = this.draw(new Portion(signal));
    reveal(list);
    await drawn;
    this.element.dataset["filled"] = "";
  }

  close() {}

  applyFilter() {
    route.rewrite(route.changed({ filter: this.filter.value }));
    void this.draw();
  }

  /** @param {Portion} [portion] */
  async draw(portion) {
    const gateways = this.list?.gateways ?? [];
    const hint = this.list?.hint ?? "";
    const empty = gateways.length === 0;
    this.section.hidden = empty;
    const wanted = empty ? hint || "No gateway has sent anything yet." : hint;
    if (this.hint.dataset["text"] !== wanted) {
      this.hint.dataset["text"] = wanted;
      const words = empty ? notice("empty", "No gateway yet", wanted) : notice("info", "", wanted);
      this.hint.replaceChildren(...(wanted === "" ? [] : [words]));
    }
    this.drawTiles(gateways);
    const text = this.filter.value.trim().toLowerCase();
    const found = gateways.filter((gateway) => nameOf(gateway).toLowerCase().includes(text));
    setText(this.found, text === "" ? "" : `${found.length} of ${gateways.length}`);
    await this.table.setRows(found, portion);
  }

  /** @param {Gateway[]} gateways */
  drawTiles(gateways) {
    const sum = (/** @type {(gateway: Gateway) => number} */ read) =>
      gateways.reduce((all, each) => all + read(each), 0);
    const active = gateways.filter((each) => each.state === "active").length;
    const troubled = gateways.filter((each) => TROUBLED.has(each.state)).length;
    const requests = sum((each) => each.totals.requests);
    const errors = sum((each) => each.totals.errors);
    const unpriced = sum((each) => each.totals.unpriced_tokens);
    this.tiles.set("gateways", gateways.length, `${active} active${troubled > 0 ? `, ${troubled} need a look` : ""}`);
    this.tiles.set("requests", requests);
    this.tiles.set("errors", errors, requests > 0 ? `${format.ratio(errors / requests)} of requests` : "");
    this.tiles.set(
      "tokens_total",
      sum((each) => each.totals.tokens.total),
    );
    this.tiles.set(
      "cost_usd",
      sum((each) => each.totals.cost_usd),
      unpriced > 0 ? "some tokens have no price" : "",
    );
  }

  /** @returns {Column[]} */
  columns() {
    return [
      {
        field: "gateway",
        label: "Gateway",
        sortBy: nameOf,
        show: (cell, row) => this.showName(cell, row),
      },
      { field: "state", label: "State", sortBy: (row) => row.state, show: (cell, row) => showBadge(cell, row.state) },
      ...[
        totals.REQUESTS,
        totals.ERRORS,
        totals.ERROR_RATIO,
        totals.TOTAL,
        totals.COST,
        totals.LATENCY_P95,
        totals.FIRST_TOKEN_P95,
      ].map((number) => /** @type {Column} */ (numberColumn(number))),
      {
        field: "last_export",
        label: "Last export",
        title: "When metrics last arrived",
        number: true,
        sortBy: (row) => row.last_export,
        show: (cell, row) => {
          setText(cell, ago(row.last_export, this.list?.now ?? 0));
          const title = row.last_export === null ? "no export yet" : utc(row.last_export);
          setAttributes(cell, { "data-field": "last_export", "data-value": row.last_export ?? "", title });
        },
      },
      {
        field: "pods",
        label: "Live pods",
        number: true,
        sortBy: (row) => row.pods.live,
        show: (cell, row) => {
          setText(cell, String(row.pods.live));
          setAttributes(cell, {
            "data-field": "pods",
            "data-value": row.pods.live,
            title: `${row.pods.live} live, ${row.pods.ended} ended`,
          });
        },
      },
    ];
  }

  /**
   * @param {HTMLElement} cell
   * @param {Gateway} row
   */
  showName(cell, row) {
    if (cell.firstElementChild === null) {
      const link = el("a", { class: "row-link" }, [el("span", { class: "namespace" }), el("strong")]);
      cell.append(link, el("p", { class: "reason" }));
    }
    const [link, reason] = /** @type {[HTMLAnchorElement, HTMLElement]} */ (
      /** @type {unknown} */ ([...cell.children])
    );
    setAttributes(link, { href: route.address(`${route.gatewayPath(row.namespace, row.name)}/overview`, this.query) });
    setText(/** @type {Element} */ (link.firstElementChild), row.namespace === "" ? "" : `${row.namespace} / `);
    setText(/** @type {Element} */ (link.lastElementChild), row.name);
    setText(reason, TROUBLED.has(row.state) ? row.state_reason : "");
    setAttributes(reason, { title: row.state_reason || null });
    setAttributes(cell, { "data-field": "gateway", "data-value": nameOf(row) });
    if (cell.parentElement !== null) setAttributes(cell.parentElement, { "data-gateway": nameOf(row) });
  }
}

/** NAMESPACE/NAME. @param {Gateway} gateway */
function nameOf(gateway) {
  return `${gateway.namespace}/${gateway.name}`;
}
