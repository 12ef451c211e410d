/** Follows kept requests live, by GET /api/logs/stream. It draws nothing. */

/** @typedef {import("./types.js").LogRecord} LogRecord */

/**
 * @typedef {object} Listener
 * @property {(id: string, record: LogRecord) => void} record
 * @property {(text: string) => void} lost what was missed, in words
 * @property {(state: "open" | "waiting" | "ended") => void} state
 */

export class Follower {
  /**
   * @param {URLSearchParams} query
   * @param {string} after id of the last record that is known; empty for none
   * @param {Listener} listener
   */
  constructor(query, after, listener) {
    const search = new URLSearchParams(query);
    if (after !== "") search.set("after", after);
    this.source = new EventSource(`/api/logs/stream?${search}`);
    this.source.addEventListener("open", () => listener.state("open"));
    this.source.addEventListener("error", () =>
      listener.state(this.source.readyState === EventSource.CLOSED ? "ended" : "waiting"),
    );
    this.source.addEventListener("message", (event) => listener.record(event.lastEventId, JSON.parse(event.data)));
    for (const name of ["lost", "skipped"]) {
      this.source.addEventListener(name, (event) =>
        listener.lost(describe(JSON.parse(/** @type {MessageEvent} */ (event).data).records)),
      );
    }
  }

  close() {
    this.source.close();
  }
}

/** @param {number | null} records @returns {string} */
function describe(records) {
  if (records === null) return "The receiver began anew; records may be missing before this.";
  return `${records} records came faster than they could be followed, or were removed: search for them.`;
}
