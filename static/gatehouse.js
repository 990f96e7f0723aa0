// What a click or a key does beyond HTMX.  Every change also works without this file.
(() => {
  "use strict";
  const { notice, tellTimes, tellSpans, isPoll } = window.gatehouse;
  const root = document.documentElement;

  const store = (name, value) => {
    try { localStorage.setItem(name, value); } catch { /* private window: not remembered */ }
  };

  // --- Copying -----------------------------------------------------------------------------------------------------

  async function copyText(text) {
    if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea"); // plain HTTP has no clipboard API
    area.value = text;
    area.className = "visually-hidden";
    (document.querySelector("dialog[open]") || document.body).append(area);
    const focused = document.activeElement;
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    focused?.focus();
    if (!copied) throw new Error("the browser did not allow it");
  }

  async function fetchSecret(url, what) {
    const headers = { Accept: "application/json", ...JSON.parse(document.body.getAttribute("hx-headers")) };
    const answer = await fetch(url, { method: "POST", headers });
    if (answer.redirected) return location.reload();
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return (await answer.json())[what];
  }

  async function copyFrom(button) {
    try {
      const { copy, copyWhat, copyText: text } = button.dataset;
      const secret = text ?? (await fetchSecret(copy, copyWhat));
      if (secret === undefined) return;
      await copyText(secret);
      button.classList.add("done");
      setTimeout(() => button.classList.remove("done"), 1500);
      notice("Copied.");
    } catch (error) {
      notice(`Not copied: ${error.message}.`, true);
    }
  }

  // --- Clicks and keys -----------------------------------------------------------------------------------------------

  const dialog = document.getElementById("dialog");

  function setDrawer(open) {
    const button = document.querySelector("button[data-drawer]");
    root.classList.toggle("drawer", open);
    button.setAttribute("aria-expanded", String(open));
    if (!open) button.focus();
  }

  function setTheme(theme) {
    store("theme", theme);
    showTheme();
  }

  function showTheme() {
    const theme = window.gatehouseTheme();
    for (const button of document.querySelectorAll("[data-theme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.theme === theme));
    }
  }

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    if (hit("[data-copy], [data-copy-text]")) copyFrom(hit("[data-copy], [data-copy-text]"));
    if (hit("button[data-theme]")) setTheme(hit("button[data-theme]").dataset.theme);
    if (hit("[data-drawer]")) setDrawer(!root.classList.contains("drawer"));
    if (hit("[data-close]")) hit("[data-close]").search = location.search;
    if (hit("[data-collapse]")) {
      store("sidebar", root.classList.toggle("collapsed") ? "collapsed" : "open");
    }
    if (dialog?.open && (hit("[data-dismiss]") || event.target === dialog)) {
      event.preventDefault();
      dialog.close();
    }
  });

  // A click that asks for another tab or window is the browser's own.
  document.addEventListener("click", (event) => {
    if ((event.ctrlKey || event.metaKey || event.shiftKey) && event.target.closest("a[hx-get]")) event.stopPropagation();
  }, true);

  // Buttons outside of a form belong to #act for browsers without scripts; HTMX has sent their request already.
  document.addEventListener("submit", (event) => {
    if (event.target.id === "act") event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select");
    if (event.key === "/" && !typing && !dialog?.open) {
      event.preventDefault();
      document.getElementById("q")?.focus();
    }
    if (event.key === "Escape") escape(event);
    if (event.key === "Enter" && event.ctrlKey) event.target.closest(".call-form")?.requestSubmit();
    if (event.key.startsWith("Arrow")) walk(event);
  });

  // In the tree of topics: up and down from row to row, right and left open and close a level.
  function walk(event) {
    const row = event.target.closest(".live-rows tbody tr");
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const twig = row.querySelector("a.twig");
    const beside = { ArrowUp: row.previousElementSibling, ArrowDown: row.nextElementSibling }[event.key];
    const wanted = { ArrowRight: "false", ArrowLeft: "true" }[event.key];
    if (beside) beside.querySelector("a.name, a.twig, a")?.focus();
    else if (wanted && twig?.getAttribute("aria-expanded") === wanted) twig.click();
    else return;
    event.preventDefault();
  }

  function escape(event) {
    const cancel = event.target.closest("form.edit")?.querySelector("[data-cancel]");
    const menu = document.querySelector("details[data-menu][open]");
    if (dialog?.open) return;
    if (cancel) cancel.click();
    else if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
    else if (root.classList.contains("drawer")) setDrawer(false);
    else if (event.target.matches("#q, .call-form *")) event.target.blur();
    else document.querySelector("#panel [data-close], [data-shut]")?.click();
  }

  // --- Choosing several: a box for all of them, and a button that says how many they are -----------------------------

  function tellChosen() {
    for (const button of document.querySelectorAll("[data-chosen]")) {
      const picks = [...button.form.querySelectorAll(`[name="${button.dataset.chosen}"]`)];
      const chosen = picks.filter((pick) => pick.checked).length;
      const all = button.form.querySelector("[data-all]");
      all.checked = chosen === picks.length;
      all.indeterminate = chosen > 0 && !all.checked;
      button.textContent = chosen ? `Approve ${chosen} chosen` : "Approve the chosen ones";
    }
  }

  document.addEventListener("change", (event) => {
    const { form, checked, dataset } = event.target;
    if (dataset.all) for (const pick of form.querySelectorAll(`[name="${dataset.all}"]`)) pick.checked = checked;
    tellChosen();
  });

  // What came of a call lies below its form, out of sight of whoever is not typing there.
  function showOutcome() {
    if (!document.activeElement?.matches("input, textarea, select")) {
      document.getElementById("outcome")?.scrollIntoView({ block: "nearest" });
    }
  }

  // In a narrow window the panel is above the list that it was opened from.
  function showPanel(panel) {
    const { top } = panel.getBoundingClientRect();
    if (!panel.hidden && (top < 0 || top > innerHeight)) panel.scrollIntoView();
  }

  // --- After each swap --------------------------------------------------------------------------------------------------

  document.addEventListener("htmx:afterSwap", (event) => {
    const { target, requestConfig } = event.detail;
    if (target.id === "dialog") dialog.showModal();
    tellTimes();
    tellSpans();
    tellChosen();
    if (target.id === "call" || target.id === "outcome") showOutcome();
    if (isPoll(requestConfig.elt)) return;
    if (target.id === "agent") showPanel(document.getElementById("call"));
    const focus = document.querySelector(`#${CSS.escape(target.id)} [data-focus]`);
    if (focus) { focus.focus(); if (focus.matches("input")) focus.select(); }
    if (target.id === "panel") {
      for (const row of document.querySelectorAll("tr.selected")) row.classList.remove("selected");
      document.getElementById(`row-${target.dataset.id}`)?.classList.add("selected");
      if (requestConfig.triggeringEvent?.currentTarget?.matches?.(".c-actions a")) target.scrollIntoView({ block: "nearest" });
    }
  });

  document.addEventListener("toggle", (event) => {
    if (event.target.open) event.target.querySelector(".menu-list")?.scrollIntoView({ block: "nearest" });
  }, true);

  showTheme();
  tellChosen();
})();
