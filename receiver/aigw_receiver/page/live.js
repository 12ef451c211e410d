/**
 * The controls of the live view, and what they hold back while it is paused.
 *
 *     #live[aria-pressed]   whether requests are followed (`live=1` in the address); #pause holds them back
 *     #live-state           "open", "waiting" or "ended" in data-state
 */

import { el, setAttributes, setText } from "./dom.js";
import { Follower } from "./follow.js";
import { button, notice } from "./notice.js";
import * as route from "./route.js";

/** @typedef {import("./request_table.js").Kept} Kept */

/** Who follows for long keeps the newest. */
export const MOST = 1000;

const STATES = {
  open: "Live: new requests appear at the top.",
  waiting: "Connecting…",
  ended: "The receiver ended the live view.",
};

const REFUSED = "The live view was ended or refused: the filters may be wrong, or too many follow already.";

export class Live {
  /**
   * @param {(rows: Kept[]) => void} receive given what is new, the newest first
   * @param {HTMLElement} trouble where it says what went wrong
   */
  constructor(receive, trouble) {
    this.receive = receive;
    this.trouble = trouble;
    /** @type {Kept[]} what came while it was paused */
    this.held = [];
    this.paused = false;
    /** The parameters of what is followed. */
    this.search = "";
    /** @type {Follower | null} */
    this.follower = null;
    const attributes = { type: "button", class: "button" };
    this.live = el("button", { ...attributes, id: "live", "aria-pressed": "false" }, "Follow live", {
      click: () => this.toggle(),
    });
    this.pause = el("button", { ...attributes, id: "pause", hidden: true }, "Pause", {
      click: () => this.togglePause(),
    });
    this.state = el("span", { id: "live-state", role: "status", class: "found" });
  }

  /**
   * Whether this is followed already.
   *
   * @param {string} search
   * @returns {boolean}
   */
  follows(search) {
    return this.follower !== null && this.search === search;
  }

  /**
   * Follows, or ends it.
   *
   * @param {boolean} wanted
   * @param {string} search parameters of GET /api/logs/stream
   * @param {string} after the record behind which it begins; empty for none
   */
  set(wanted, search, after) {
    if (!wanted || search !== this.search) this.end();
    this.search = search;
    setAttributes(this.live, { "aria-pressed": String(wanted) });
    this.pause.hidden = !wanted;
    if (!wanted || this.follower !== null) return;
    let newest = after;
    this.show("waiting");
    this.follower = new Follower(new URLSearchParams(search), after, {
      record: (id, log) => this.take({ id: (newest = id), log }),
      lost: (text) => this.trouble.replaceChildren(notice("warning", "", text)),
      state: (state) => {
        this.show(state);
        if (state === "ended") this.offer(search, newest);
      },
    });
  }

  /** Ends it. */
  end() {
    this.follower?.close();
    this.follower = null;
    this.paused = false;
    this.held = [];
    setText(this.state, "");
    setAttributes(this.state, { "data-state": null });
    setText(this.pause, "Pause");
  }

  /** @param {Kept} row */
  take(row) {
    if (!this.paused) {
      this.receive([row]);
      return;
    }
    this.held = [row, ...this.held].slice(0, MOST);
    this.show("open");
  }

  toggle() {
    const wanted = this.live.getAttribute("aria-pressed") !== "true";
    route.go(route.changed({ live: wanted ? "1" : null }));
  }

  togglePause() {
    this.paused = !this.paused;
    setText(this.pause, this.paused ? "Resume" : "Pause");
    if (!this.paused) {
      this.receive(this.held);
      this.held = [];
    }
    this.show(/** @type {keyof typeof STATES} */ (this.state.dataset["state"] ?? "open"));
  }

  /** @param {keyof typeof STATES} state */
  show(state) {
    const held = this.held.length;
    const paused = `Paused: ${held} new ${held === 1 ? "request" : "requests"} held back.`;
    setText(this.state, this.paused ? paused : STATES[state]);
    setAttributes(this.state, { "data-state": state });
  }

  /**
   * Offers to follow again.
   *
   * @param {string} search
   * @param {string} after
   */
  offer(search, after) {
    const again = button("Follow again", () => {
      this.trouble.replaceChildren();
      this.end();
      this.set(true, search, after);
    });
    this.trouble.replaceChildren(notice("error", "", REFUSED, [again]));
  }
}
