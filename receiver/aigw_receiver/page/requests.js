/**
 * The tab Requests: kept requests, searched or followed live, and one of them in the drawer.
 *
 *     #older      asks for the next page
 *     record=ID   in the address: the record in the drawer
 *
 * Its parts document their own hooks: `request_form.js`, `live.js`, `request_table.js`, `record_drawer.js`.
 */

import { ApiError, get, getLogs } from "./api.js";
import { el } from "./dom.js";
import { active, toSearch, toStream } from "./filters.js";
import { Live, MOST } from "./live.js";
import { button, notice } from "./notice.js";
import { RecordDrawer } from "./record_drawer.js";
import { RequestForm } from "./request_form.js";
import { makeRequestTable } from "./request_table.js";
import * as route from "./route.js";

/** @typedef {import("./gateway.js").Context} Context */
/** @typedef {import("./types.js").GatewayDocument} GatewayDocument */
/** @typedef {import("./types.js").LogPage} LogPage */
/** @typedef {import("./request_table.js").Kept} Kept */

const WHY_NONE =
  "Kept are the requests that matter: those that failed, were slow, aborted or large, and samples where they are " +
  "switched on. Try a longer time range; access_logs.rules says what is kept.";

export class RequestsPanel {
  constructor() {
    /** @type {Kept[]} the newest first */
    this.rows = [];
    this.next = "";
    this.newest = "";
    /** @type {Context | null} */
    this.context = null;
    /** @type {Kept | null} a record that is on no page */
    this.single = null;
    this.table = makeRequestTable();
    this.drawer = new RecordDrawer(
      (id) => this.leaveRecord(id),
      (by) => this.step(by),
    );
    this.trouble = el("div");
    this.live = new Live((rows) => this.receive(rows), this.trouble);
    this.form = new RequestForm([this.live.live, this.live.pause]);
    this.empty = el("div");
    this.older = el("button", { type: "button", id: "older", class: "button", hidden: true }, "Older requests", {
      click: () => void this.loadOlder(),
    });
    this.element = el("div", {}, [
      el("h2", { class: "hidden" }, "Requests"),
      el("div", { class: "card" }, [
        this.form.element,
        this.live.state,
        this.trouble,
        this.table.element,
        this.empty,
        this.older,
      ]),
      this.drawer.element,
    ]);
  }

  /** @param {Context} context */
  arrive(context) {
    this.context = context;
    this.form.show(context.shown.query);
    if (context.shown.query.get("record") === null) this.closeRecord();
    else void this.openRecord(context);
  }

  /**
   * @param {Context} context
   * @returns {Promise<LogPage | ApiError | null>} null while they are followed; an error that the form can mend
   */
  async fetch(context) {
    const { gateway, shown, range, signal } = context;
    const query = toSearch(gateway, shown.query, range, "");
    const follow = shown.query.get("live") === "1";
    if (follow && this.live.follows(toStream(gateway, shown.query).toString())) return null;
    try {
      return await getLogs(query, signal);
    } catch (error) {
      if (error instanceof ApiError && error.status !== 0) return error;
      throw error;
    }
  }

  /**
   * @param {GatewayDocument} document
   * @param {LogPage | ApiError | null} page
   * @param {Context} context
   */
  async show(document, page, context) {
    this.context = context;
    this.form.offer(document);
    const search = toStream(context.gateway, context.shown.query).toString();
    const key = `${search} ${JSON.stringify(context.range)} ${context.shown.query.get("limit") ?? ""}`;
    const wrong = page instanceof ApiError;
    if (wrong) this.refuse(page);
    else if (page !== null) this.take(page, key);
    this.live.set(context.shown.query.get("live") === "1" && !wrong, search, this.newest);
    await this.draw(context.portion);
    void this.openRecord(context);
  }

  /** Shows why nothing was found, and nothing of what was found before. @param {ApiError} error */
  refuse(error) {
    this.rows = [];
    this.next = this.key = "";
    this.trouble.replaceChildren(
      notice("error", "These requests cannot be shown", error.message, [
        button("Try again", () => route.go(location.href)),
      ]),
    );
  }

  /**
   * @param {LogPage} page
   * @param {string} key of what was searched for
   */
  take(page, key) {
    const rows = page.logs.map((log, place) => ({ id: page.ids[place] ?? "", log }));
    const same = this.key === key && this.rows.length > rows.length && rows.length > 0;
    // Older pages that somebody has opened stay below what a refresh brings.
    const fresh = new Set(rows.map((row) => row.id));
    const rest = same ? this.rows.slice(this.rows.findIndex((row) => row.id === rows.at(-1)?.id) + 1) : [];
    this.rows = [...rows, ...rest.filter((row) => !fresh.has(row.id))];
    if (!same) this.next = page.next ?? "";
    this.trouble.replaceChildren();
    this.newest = page.newest ?? "";
    this.key = key;
  }

  /** @type {string} */
  key = "";

  async loadOlder() {
    const context = this.context;
    if (context === null || this.next === "") return;
    this.older.disabled = true;
    this.trouble.replaceChildren();
    try {
      const query = toSearch(context.gateway, context.shown.query, context.range, this.next);
      const page = await getLogs(query, new AbortController().signal);
      const known = new Set(this.rows.map((row) => row.id));
      const more = page.logs.map((log, place) => ({ id: page.ids[place] ?? "", log }));
      this.rows.push(...more.filter((row) => !known.has(row.id)));
      this.next = page.next ?? "";
    } catch (error) {
      this.complain(error);
    }
    this.older.disabled = false;
    void this.draw();
  }

  /** @param {unknown} error */
  complain(error) {
    const text = error instanceof Error ? error.message : String(error);
    this.trouble.replaceChildren(notice("error", "", text, [button("Try again", () => void this.loadOlder())]));
  }

  /** @param {Kept[]} rows that are new, the newest first */
  receive(rows) {
    const known = new Set(this.rows.map((row) => row.id));
    this.rows = [...rows.filter((row) => !known.has(row.id)), ...this.rows].slice(0, MOST);
    this.drawSoon();
  }

  /** Many that come at once are drawn once. */
  drawSoon() {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      void this.draw();
    });
  }

  /** @type {boolean} */
  drawing = false;

  /** @param {import("./portion.js").Portion} [portion] */
  async draw(portion) {
    const drawn = this.table.setRows(this.rows, portion);
    this.table.empty.hidden = true;
    this.older.hidden = this.next === "" || this.rows.length === 0;
    this.drawEmpty();
    await drawn;
  }

  drawEmpty() {
    const query = this.context?.shown.query ?? new URLSearchParams();
    const filtered = active(query).length > 0;
    const wanted = this.rows.length > 0 || this.trouble.childElementCount > 0 ? "" : filtered ? "filtered" : "none";
    if (this.empty.dataset["shown"] === wanted) return;
    this.empty.dataset["shown"] = wanted;
    if (wanted === "") this.empty.replaceChildren();
    else if (filtered) {
      const all = el("a", { class: "button", href: route.address(location.pathname, query) }, "Take out all filters");
      this.empty.replaceChildren(
        notice("empty", "No kept request matches", "Try fewer filters, or a longer time range.", [all]),
      );
    } else {
      this.empty.replaceChildren(notice("empty", "No request was kept in this time range", WHY_NONE));
    }
  }

  /** @param {Context} context */
  async openRecord({ shown, signal }) {
    const id = shown.query.get("record");
    if (id === null) return;
    let found = this.rows.find((row) => row.id === id) ?? (this.single?.id === id ? this.single : undefined);
    if (found === undefined) {
      try {
        found = this.single = await get(`/api/logs/${encodeURIComponent(id)}`, new URLSearchParams(), signal);
      } catch (error) {
        if (!signal.aborted) this.drawer.showError(id, error instanceof ApiError ? error.message : String(error));
        return;
      }
    }
    if (found === undefined || route.current().query.get("record") !== id) return;
    const place = this.rows.findIndex((row) => row.id === id);
    this.drawer.show(id, found.log, { newer: place > 0, older: place >= 0 && place < this.rows.length - 1 });
  }

  /** Somebody has gone back. */
  closeRecord() {
    const open = this.drawer.shown;
    if (open === "") return;
    this.drawer.hide();
    this.focusRow(open);
  }

  /** Somebody has closed the drawer. @param {string} id */
  leaveRecord(id) {
    this.focusRow(id);
    route.back(route.changed({ record: null }));
  }

  /** @param {string} id */
  focusRow(id) {
    const row = [...this.table.body.rows].find((each) => each.dataset["row"] === id);
    row?.querySelector("a")?.focus();
  }

  /** @param {1 | -1} by */
  step(by) {
    const place = this.rows.findIndex((row) => row.id === this.drawer.shown);
    const wanted = place < 0 ? undefined : this.rows[place + by];
    if (wanted === undefined || this.context === null) return;
    route.rewrite(route.changed({ record: wanted.id }));
    void this.openRecord({ ...this.context, shown: route.current() });
  }

  close() {
    this.live.end();
    this.drawer.hide();
  }
}
