/**
 * The large numbers at the head of a page. A tile is `[data-tile="requests"]`; the value in it as `field.js` says.
 */

import { el, setText } from "./dom.js";
import { showValue } from "./field.js";

/**
 * @typedef {object} Tile
 * @property {string} field
 * @property {string} label
 * @property {string} [title]
 * @property {import("./field.js").Unit} unit
 */

export class Tiles {
  /**
   * @param {string} label what the tiles are about
   * @param {Tile[]} tiles
   */
  constructor(label, tiles) {
    this.tiles = tiles;
    /** @type {Map<string, {value: HTMLElement, note: HTMLElement}>} */
    this.parts = new Map();
    const made = tiles.map((tile) => {
      const value = el("dd", { class: "tile-value" }, "–");
      const note = el("dd", { class: "tile-note" });
      this.parts.set(tile.field, { value, note });
      return el("div", { class: "tile", "data-tile": tile.field }, [
        el("dt", { title: tile.title }, tile.label),
        value,
        note,
      ]);
    });
    // As many in a row as leave none alone in the last one.
    const style = [8, 5].find((columns) => tiles.length % columns === 0) ?? 4;
    this.element = el("dl", { class: `tiles tiles-${style}`, "aria-label": label }, made);
  }

  /**
   * @param {string} field
   * @param {number | null} value
   * @param {string} [note] a few words below it
   */
  set(field, value, note = "") {
    const parts = this.parts.get(field);
    const tile = this.tiles.find((each) => each.field === field);
    if (parts === undefined || tile === undefined) return;
    showValue(parts.value, field, value, tile.unit);
    setText(parts.note, note);
  }
}
