/**
 * Light and dark. A plain script that runs before anything is drawn, so that nothing flashes.
 *
 * The choice ("light", "dark" or none: as the system has it) is kept in localStorage; the page reads `data-theme` of the
 * root element, and hears of a change by the event "themechange" of the document.
 */
(() => {
  const KEY = "aigw-theme";
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return localStorage.getItem(KEY) ?? "system";
    } catch {
      return "system";
    }
  }

  function apply() {
    const choice = chosen();
    const theme = choice === "system" ? (dark.matches ? "dark" : "light") : choice;
    if (document.documentElement.dataset["theme"] === theme) return;
    document.documentElement.dataset["theme"] = theme;
    document.dispatchEvent(new Event("themechange"));
  }

  function offer() {
    const select = /** @type {HTMLSelectElement | null} */ (document.getElementById("theme"));
    if (select === null) return;
    select.value = chosen();
    select.addEventListener("change", () => {
      try {
        localStorage.setItem(KEY, select.value);
      } catch {
        // Without storage the choice lasts as long as the page.
        document.documentElement.dataset["theme"] = select.value;
      }
      apply();
    });
  }

  apply();
  dark.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", offer);
})();
