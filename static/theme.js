// Runs before the page is drawn, so that neither the theme nor the sidebar flickers.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stored = (name) => {
    try { return localStorage.getItem(name); } catch { return null; }
  };
  window.gatehouseTheme = () => {
    const theme = stored("theme") || "system";
    const shown = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
    root.setAttribute("data-bs-theme", shown);
    return theme;
  };
  window.gatehouseTheme();
  dark.addEventListener("change", window.gatehouseTheme);
  root.classList.add("has-js");
  root.classList.toggle("collapsed", stored("sidebar") === "collapsed");
})();
