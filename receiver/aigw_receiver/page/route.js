/**
 * Addresses and what they mean. All that decides what is shown stands in the address, so that a link, a reload and the
 * way back show the same again. It loads and draws nothing.
 */

export const TABS = /** @type {const} */ (["overview", "providers", "models", "mcp", "requests", "pods"]);

/** @typedef {typeof TABS[number]} Tab */

/**
 * @typedef {{page: "gateways"} | {page: "missing"} | {page: "gateway", namespace: string, name: string, tab: Tab}} Path
 */

/** What is shown. @typedef {{path: Path, query: URLSearchParams}} Route */

// What stays when another page or tab is opened.
const KEPT = ["from", "to", "refresh"];

// An empty namespace needs something that stands for it in a path.
const NO_NAMESPACE = "-";

/**
 * What the present address means.
 *
 * @returns {Route}
 */
export function current() {
  return { path: parsePath(location.pathname), query: new URLSearchParams(location.search) };
}

/**
 * @param {string} pathname
 * @returns {Path}
 */
export function parsePath(pathname) {
  const parts = pathname.split("/").filter((part) => part !== "");
  if (parts.length === 0) return { page: "gateways" };
  const [root, namespace, name, tab = "overview"] = parts.map(decode);
  const known = TABS.find((each) => each === tab);
  if (root !== "gateways" || !namespace || !name || known === undefined || parts.length > 4) return { page: "missing" };
  return { page: "gateway", namespace: namespace === NO_NAMESPACE ? "" : namespace, name, tab: known };
}

/**
 * @param {string} part
 * @returns {string}
 */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

/**
 * The part of a path that names a gateway, as the page and the API have it.
 *
 * @param {string} namespace
 * @param {string} name
 * @returns {string}
 */
export function gatewayPath(namespace, name) {
  return `/gateways/${encodeURIComponent(namespace || NO_NAMESPACE)}/${encodeURIComponent(name)}`;
}

/**
 * An address with what is kept of a query, and what is given.
 *
 * @param {string} pathname
 * @param {URLSearchParams} query
 * @param {Record<string, string>} [more]
 * @returns {string}
 */
export function address(pathname, query, more = {}) {
  const wanted = new URLSearchParams();
  for (const name of KEPT) {
    const value = query.get(name);
    if (value !== null) wanted.set(name, value);
  }
  for (const [name, value] of Object.entries(more)) wanted.set(name, value);
  return join(pathname, wanted);
}

/**
 * The present address with some parameters changed; null and the empty text take one out.
 *
 * @param {Record<string, string | string[] | null>} changes
 * @returns {string}
 */
export function changed(changes) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each) query.append(name, each);
    }
  }
  return join(location.pathname, query);
}

/**
 * @param {string} pathname
 * @param {URLSearchParams} query
 * @returns {string}
 */
function join(pathname, query) {
  // Colons, slashes and commas may stand in a query as they are; links are read by people.
  const text = query.toString().replaceAll("%3A", ":").replaceAll("%2F", "/").replaceAll("%2C", ",");
  return text ? `${pathname}?${text}` : pathname;
}

/** @type {() => void} */
let arrived = () => {};

/**
 * Calls `listener` whenever the address has changed, and takes over links that stay on the page.
 *
 * @param {() => void} listener
 */
export function follow(listener) {
  arrived = listener;
  addEventListener("popstate", () => arrived());
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target.closest("a") : null;
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (target === null || !plain || event.defaultPrevented || target.target || target.origin !== location.origin)
      return;
    if (target.pathname.startsWith("/api/") || target.hasAttribute("download") || target.hash !== "") return;
    event.preventDefault();
    go(target.href);
  });
}

/**
 * Goes to an address of the page.
 *
 * @param {string} href
 */
export function go(href) {
  if (href !== location.href) history.pushState({ inside: true }, "", href);
  arrived();
}

/**
 * Changes the address in place: what is shown is the same, told otherwise.
 *
 * @param {string} href
 */
export function rewrite(href) {
  history.replaceState(history.state, "", href);
}

/**
 * Goes back to where the present address was opened from, or to `href` where that was elsewhere.
 *
 * @param {string} href
 */
export function back(href) {
  if (history.state?.inside) history.back();
  else {
    history.replaceState(history.state, "", href);
    arrived();
  }
}
