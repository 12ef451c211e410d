/**
 * Makes and changes elements. Text is only ever set as text: nothing here, or elsewhere, parses HTML.
 *
 * What has not changed is not touched, so that a refresh costs no focus, selection or scroll position.
 */

/** @typedef {Node | string | null} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Attributes a false or null one is left out */
/** @typedef {Record<string, (event: any) => void>} Listeners */

/**
 * A new element. `attributes` are HTML attributes; `on` are listeners by event.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {Child | Child[]} [children]
 * @param {Listeners} [on]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, children = [], on = {}) {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  for (const child of Array.isArray(children) ? children : [children]) {
    if (child !== null) element.append(child);
  }
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * A new element of SVG.
 *
 * @param {string} tag
 * @param {Attributes} attributes
 * @param {Element[]} [children]
 * @returns {SVGElement}
 */
export function svg(tag, attributes, children = []) {
  const element = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

/**
 * @param {Element} element
 * @param {Attributes} attributes
 */
export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else {
      const text = value === true ? "" : String(value);
      if (element.getAttribute(name) !== text) element.setAttribute(name, text);
    }
  }
}

/**
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes the children of an element those of `items`, keeping the element of each key, and the focus.
 *
 * @template Item
 * @template {HTMLElement} Child
 * @param {HTMLElement} parent all of whose children were made here
 * @param {Item[]} items
 * @param {(item: Item) => string} keyOf unique among the items
 * @param {(item: Item) => Child} create
 * @param {(child: Child, item: Item) => void} update called for new children as well
 */
export function setChildren(parent, items, keyOf, create, update) {
  const placing = placeChildren(parent, items, keyOf, create, update);
  while (!placing.next().done);
}

/**
 * The same, a child at each step. Whoever stops before the end, or sets the children otherwise meanwhile, begins anew.
 *
 * @template Item
 * @template {HTMLElement} Child
 * @param {HTMLElement} parent
 * @param {Item[]} items
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => Child} create
 * @param {(child: Child, item: Item) => void} update
 * @returns {Generator<void, void>}
 */
export function* placeChildren(parent, items, keyOf, create, update) {
  const wanted = new Set(items.map(keyOf));
  /** @type {Map<string, Child>} */
  const known = new Map();
  for (const each of [...parent.children]) {
    const child = /** @type {Child} */ (each);
    const key = child.dataset["key"] ?? "";
    if (wanted.has(key)) known.set(key, child);
    else child.remove();
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = known.get(key);
    if (child === undefined) {
      child = create(item);
      child.dataset["key"] = key;
    }
    if (child === next) next = next.nextElementSibling;
    else insert(parent, child, next);
    update(child, item);
    yield;
  }
}

/**
 * @param {HTMLElement} parent
 * @param {HTMLElement} child
 * @param {Element | null} before
 */
function insert(parent, child, before) {
  const focused = document.activeElement;
  parent.insertBefore(child, before);
  // Moving an element takes the focus away from it.
  if (focused instanceof HTMLElement && focused !== document.activeElement && child.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

/**
 * The one element of the page that has this id.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}
