/**
 * One kept record, in a drawer beside the list: why it was kept, and every field that it has.
 *
 *     dialog#record[data-record=ID]                  open while a record is shown
 *     #record [data-reason="errors"]                 a rule that kept it, in plain words
 *     #record [data-field="status"][data-value]      a field of the record, with its value as it is in JSON
 */

import { badge } from "./badge.js";
import { timeElement, zone } from "./clock.js";
import { el, setAttributes } from "./dom.js";
import { button, notice } from "./notice.js";
import { explainRules, explainWeight, nameOfRule } from "./reasons.js";
import { groupFields } from "./record_fields.js";

/** @typedef {import("./types.js").LogRecord} LogRecord */

export class RecordDrawer {
  /**
   * @param {(id: string) => void} closed called when somebody closes it
   * @param {(by: 1 | -1) => void} move called when somebody wants the next one (1: older)
   */
  constructor(closed, move) {
    /** @type {string} id of the record that is shown; empty for none */
    this.shown = "";
    this.body = el("div", { class: "drawer-body", tabindex: -1 });
    this.title = el("h2", { id: "record-title", tabindex: -1 }, "Request");
    const end = el(
      "button",
      { type: "button", class: "button icon", "aria-label": "Close", title: "Close (Esc)" },
      "✕",
      { click: () => this.element.close() },
    );
    const newer = el(
      "button",
      { type: "button", class: "button icon", "aria-label": "Newer record", title: "Newer record" },
      "↑",
      { click: () => move(-1) },
    );
    const older = el(
      "button",
      { type: "button", class: "button icon", "aria-label": "Older record", title: "Older record" },
      "↓",
      { click: () => move(1) },
    );
    this.steps = [newer, older];
    this.element = el(
      "dialog",
      { id: "record", class: "drawer", "aria-labelledby": "record-title" },
      [el("header", { class: "drawer-head" }, [this.title, newer, older, end]), this.body],
      {
        close: () => {
          const id = this.shown;
          this.shown = "";
          if (id !== "") closed(id);
        },
        // Only the backdrop is the dialog itself.
        click: (event) => {
          if (event.target === this.element) this.element.close();
        },
      },
    );
  }

  /**
   * @param {string} id
   * @param {LogRecord} record
   * @param {{newer: boolean, older: boolean}} beside whether there are such
   */
  show(id, record, beside) {
    this.open(id);
    const [newer, older] = this.steps;
    setAttributes(/** @type {Element} */ (newer), { disabled: !beside.newer });
    setAttributes(/** @type {Element} */ (older), { disabled: !beside.older });
    if (this.body.dataset["record"] === id) return;
    this.body.dataset["record"] = id;
    const seconds = Date.parse(String(record["time"])) / 1000;
    const head = el("p", { class: "drawer-summary" }, [
      badge(String(record["ending"])),
      timeElement(seconds, seconds),
      ` ${zone(seconds)}`,
    ]);
    this.body.replaceChildren(head, why(record), ...groupFields(record).map(section), actions(record));
    this.body.scrollTop = 0;
  }

  /**
   * Says why a record cannot be shown.
   *
   * @param {string} id
   * @param {string} text
   */
  showError(id, text) {
    this.open(id);
    delete this.body.dataset["record"];
    for (const step of this.steps) step.disabled = true;
    this.body.replaceChildren(notice("error", "This record cannot be shown", text));
  }

  /** Closes it without a word to anybody. */
  hide() {
    this.shown = "";
    if (this.element.open) this.element.close();
  }

  /** @param {string} id */
  open(id) {
    this.shown = id;
    setAttributes(this.element, { "data-record": id });
    if (this.element.open) return;
    this.element.showModal();
    this.title.focus();
  }
}

/** @param {LogRecord} record @returns {HTMLElement} */
function why(record) {
  const rules = explainRules(record).map(({ rule, sentence }) =>
    el("li", { "data-reason": rule }, [el("strong", {}, `${nameOfRule(rule)}. `), sentence]),
  );
  return el("section", { class: "why" }, [
    el("h3", {}, "Why it was kept"),
    el("ul", {}, rules),
    el("p", {}, explainWeight(record)),
  ]);
}

/** @param {{title: string, fields: import("./record_fields.js").Field[]}} group @returns {HTMLElement} */
function section({ title, fields }) {
  const rows = fields.map(({ name, label, text, value }) =>
    el("div", { class: "record-field", "data-field": name, "data-value": value }, [
      el("dt", { title: name }, label),
      el("dd", { title: text === value ? null : value }, text),
    ]),
  );
  return el("section", {}, [el("h3", {}, title), el("dl", {}, rows)]);
}

/** @param {LogRecord} record @returns {HTMLElement} */
function actions(record) {
  const said = el("span", { role: "status" });
  const copy = (/** @type {string} */ text, /** @type {string} */ what) => {
    // The clipboard is there on localhost and over HTTPS only.
    const written = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard"));
    written.then(
      () => said.replaceChildren(`${what} copied`),
      () => said.replaceChildren("The browser does not allow to copy"),
    );
  };
  return el("p", { class: "drawer-actions" }, [
    button("Copy link", () => copy(location.href, "Link")),
    button("Copy as JSON", () => copy(JSON.stringify(record, null, 2), "JSON")),
    said,
  ]);
}
