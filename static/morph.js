// Swapping without nerves: only what differs is touched, so that focus, selection and open menus survive.
(() => {
  "use strict";
  const touched = [];

  function morph(old, fresh, keep) {
    if (old.isEqualNode(fresh) || (keep && old.hasAttribute?.("data-keep"))) return;
    if (old.nodeName !== fresh.nodeName || (old.id || "") !== (fresh.id || "")) {
      touched.push(fresh);
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) {
        old.nodeValue = fresh.nodeValue;
        flash(old.parentElement);
      }
      return;
    }
    if (old.nodeName === "TIME" && old.dateTime === fresh.dateTime) return;
    if (morphAttributes(old, fresh)) touched.push(old);
    morphChildren(old, fresh, keep);
  }

  function morphAttributes(old, fresh) {
    let changed = false;
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && name !== "open") { old.removeAttribute(name); changed = true; }
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) { old.setAttribute(name, value); changed = true; }
    }
    const field = old.matches("input, select, textarea"); // a form has a `value` too when a field has that name
    if (field && old !== document.activeElement && old.value !== fresh.value) old.value = fresh.value;
    return changed;
  }

  function morphChildren(old, fresh, keep) {
    let place = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const match = matching(old, place, child);
      if (!match) {
        old.insertBefore(child, place);
        touched.push(child);
        continue;
      }
      if (match === place) place = place.nextSibling;
      else old.insertBefore(match, place);
      morph(match, child, keep);
    }
    while (place) {
      const next = place.nextSibling;
      if (!(keep && holdsKept(place))) place.remove();
      place = next;
    }
  }

  // What is being edited stays, also when it no longer matches the filters or was deleted elsewhere.
  function holdsKept(node) {
    return node.nodeType === Node.ELEMENT_NODE && (node.hasAttribute("data-keep") || node.querySelector("[data-keep]"));
  }

  function matching(parent, place, child) {
    if (child.id) {
      const found = document.getElementById(child.id);
      return found && found.parentNode === parent ? found : null;
    }
    const alike = place && place.nodeName === child.nodeName && place.dataset?.key === child.dataset?.key;
    return alike && !place.id ? place : null;
  }

  function flash(element) {
    const cell = element?.closest("td, .state, .chip b");
    if (!cell || cell.closest("#search, [data-steady]")) return;
    cell.classList.remove("changed");
    void cell.offsetWidth;
    cell.classList.add("changed");
    setTimeout(() => { cell.classList.remove("changed"); if (!cell.className) cell.removeAttribute("class"); }, 400);
  }

  htmx.defineExtension("morph", {
    isInlineSwap: (style) => style.startsWith("morph"),
    handleSwap: (style, target, fragment) => {
      if (!style.startsWith("morph")) return false;
      const fresh = [...fragment.children].find((child) => child.id === target.id);
      if (!fresh) return false;
      touched.length = 0;
      const key = target.contains(document.activeElement) && document.activeElement.dataset.key;
      morph(target, fresh, style === "morph-keep");
      if (key && document.activeElement === document.body) target.querySelector(`[data-key="${key}"]`)?.focus();
      return touched.filter((node) => node.nodeType === Node.ELEMENT_NODE && node.isConnected);
    },
  });
})();
