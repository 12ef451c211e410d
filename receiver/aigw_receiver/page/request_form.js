/**
 * The form of the search for kept requests. What is chosen goes into the address at once.
 *
 *     form#search [name="status"]            a field, named as the parameter
 *     #chips a[data-filter="status=429"]     a filter that is set; a click takes it out
 */

import { nameOf } from "./badge.js";
import { el, setAttributes, setChildren, setText } from "./dom.js";
import { DEFAULT_LIMIT, ENDINGS, LIMITS, RULES, WRITTEN, active, split } from "./filters.js";
import { nameOfRule } from "./reasons.js";
import * as route from "./route.js";

/** @typedef {import("./types.js").GatewayDocument} GatewayDocument */

export class RequestForm {
  /** @param {HTMLElement[]} beside what stands beside the button */
  constructor(beside) {
    this.text = el("input", {
      name: "text",
      type: "search",
      placeholder: "Search path, request id, session, details, text…",
      "aria-label": "Text in path, request id, session, details or body",
      maxlength: 200,
      autocomplete: "off",
      spellcheck: "false",
    });
    this.kind = select("route_type", "Kind of request", [
      ["", "LLM and MCP"],
      ["llm", "LLM"],
      ["mcp", "MCP"],
    ]);
    this.limit = select(
      "limit",
      "Records a page",
      LIMITS.map((each) => [each === DEFAULT_LIMIT ? "" : each, each]),
    );
    this.lists = new Map(WRITTEN.map(([name]) => [name, el("datalist", { id: `known-${name}` })]));
    this.written = WRITTEN.map(([name, label, example]) => {
      const known = `known-${name}`;
      const field = el("input", {
        name,
        id: `filter-${name}`,
        placeholder: example,
        list: known,
        autocomplete: "off",
        spellcheck: "false",
        maxlength: 500,
      });
      return el("div", { class: "field" }, [
        el("label", { for: field.id }, label),
        field,
        this.lists.get(name) ?? null,
      ]);
    });
    this.summary = el("summary", {}, "Filters");
    this.more = el("details", { class: "filters" }, [
      this.summary,
      el("div", { class: "fields" }, this.written),
      choices("ending", "Ended as", ENDINGS, nameOf),
      choices("rule", "Kept by the rule", RULES, nameOfRule),
      el("div", { class: "field" }, [el("label", { for: "filter-limit" }, "Records a page"), this.limit]),
    ]);
    this.chips = el("ul", { id: "chips", class: "chips", "aria-label": "Filters that are set" });
    const head = el("div", { class: "search" }, [
      this.text,
      this.kind,
      el("button", { type: "submit", class: "button primary" }, "Search"),
      ...beside,
    ]);
    this.form = el("form", { id: "search", role: "search", "aria-label": "Kept requests" }, [head, this.more], {
      submit: (event) => this.submit(event),
      change: () => this.apply(),
    });
    this.element = el("div", {}, [this.form, this.chips]);
  }

  /**
   * Shows what the address says.
   *
   * @param {URLSearchParams} query
   */
  show(query) {
    for (const field of this.form.elements) {
      // What somebody is writing is not taken away.
      if (field === document.activeElement && field instanceof HTMLInputElement && field.type !== "checkbox") continue;
      if (field instanceof HTMLInputElement && field.type === "checkbox")
        field.checked = query.getAll(field.name).includes(field.value);
      else if (field instanceof HTMLInputElement) field.value = query.getAll(field.name).join(", ");
      else if (field instanceof HTMLSelectElement) field.value = query.get(field.name) ?? "";
    }
    const filters = active(query);
    const hidden = filters.filter(([name]) => name !== "text" && name !== "route_type").length;
    setText(this.summary, hidden > 0 ? `Filters (${hidden})` : "Filters");
    setChildren(
      this.chips,
      filters,
      ([name, value]) => `${name}=${value}`,
      () => el("li", {}, el("a")),
      (item, [name, value]) => {
        const link = /** @type {HTMLAnchorElement} */ (item.firstElementChild);
        const rest = query.getAll(name).filter((each) => each !== value);
        setText(link, `${labelOf(name)}: ${wordOf(name, value)} ×`);
        setAttributes(link, {
          href: route.changed({ [name]: rest }),
          "data-filter": `${name}=${value}`,
          "aria-label": `Take out the filter ${labelOf(name)}: ${value}`,
        });
      },
    );
    this.chips.hidden = filters.length === 0;
  }

  /**
   * Offers what the gateway is known to have.
   *
   * @param {GatewayDocument} document
   */
  offer(document) {
    const known = /** @type {Record<string, string[]>} */ ({
      status: ["4xx", "5xx", "429", "none"],
      model: document.models.map((row) => row.model),
      provider: document.providers.map((row) => row.provider),
      pod: document.pods.map((row) => row.pod),
    });
    for (const [name, list] of this.lists) {
      const values = [...new Set(known[name] ?? [])].filter((value) => value !== "");
      setChildren(
        list,
        values,
        (value) => value,
        (value) => el("option", { value }),
        () => {},
      );
    }
  }

  /** @param {Event} event */
  submit(event) {
    event.preventDefault();
    this.apply();
  }

  apply() {
    const data = new FormData(this.form);
    /** @type {Record<string, string | string[]>} */
    const wanted = { text: String(data.get("text") ?? "").trim() };
    for (const name of ["route_type", "limit"]) wanted[name] = String(data.get(name) ?? "");
    for (const name of ["ending", "rule"]) wanted[name] = data.getAll(name).map(String);
    for (const [name] of WRITTEN) wanted[name] = split(name, String(data.get(name) ?? ""));
    const address = route.changed(wanted);
    if (address !== location.pathname + location.search) route.go(address);
  }
}

/** @param {string} name @returns {string} */
function labelOf(name) {
  const written = WRITTEN.find(([each]) => each === name);
  return written?.[1] ?? { text: "Text", route_type: "Kind", ending: "Ended as", rule: "Rule" }[name] ?? name;
}

/** @param {string} name @param {string} value @returns {string} */
function wordOf(name, value) {
  if (name === "ending") return nameOf(value);
  if (name === "rule") return nameOfRule(value);
  return name === "route_type" ? value.toUpperCase() : value;
}

/**
 * @param {string} name
 * @param {string} label
 * @param {string[][]} options value and text of each
 * @returns {HTMLSelectElement}
 */
function select(name, label, options) {
  const made = options.map(([value = "", text = ""]) => el("option", { value }, text));
  return el("select", { name, id: `filter-${name}`, "aria-label": label }, made);
}

/**
 * @param {string} name
 * @param {string} label
 * @param {string[]} values
 * @param {(value: string) => string} wordFor
 * @returns {HTMLElement}
 */
function choices(name, label, values, wordFor) {
  const boxes = values.map((value) =>
    el("label", { class: "choice" }, [el("input", { type: "checkbox", name, value }), wordFor(value)]),
  );
  return el("fieldset", {}, [el("legend", {}, label), ...boxes]);
}
