// What keeps a page current: polling, notices, and times in the viewer's zone.
(() => {
  "use strict";
  const HIDDEN_POLL = 30000; // milliseconds between two polls of a tab that nobody sees
  const polled = new Map();

  // --- Polling ------------------------------------------------------------------------------------------------

  const isPoll = (element) => element.matches?.("[data-poll]");

  document.addEventListener("htmx:configRequest", (event) => {
    const element = event.detail.elt;
    if (!isPoll(element)) return;
    const url = new URL(element.dataset.poll, location.href);
    url.searchParams.set("v", element.dataset.version);
    const panel = document.querySelector("#panel[data-id]");
    if (element.id === "live" && panel) url.searchParams.set("selected", panel.dataset.id);
    event.detail.path = url.pathname + url.search;
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    const element = event.detail.elt;
    if (!isPoll(element)) return;
    const now = Date.now();
    const pause = Number(element.dataset.hidden) || HIDDEN_POLL;
    if (document.hidden && now - (polled.get(element.id) || 0) < pause) return event.preventDefault();
    polled.set(element.id, now);
  });

  // What an agent was asked at one look is read at the next, also where this one shows nothing new.
  document.addEventListener("htmx:afterRequest", (event) => {
    const next = event.detail.xhr?.getResponseHeader("X-Next-Poll");
    if (next && isPoll(event.detail.elt)) event.detail.elt.dataset.poll = next;
  });

  // A row that was kept while it was edited may have no place in the list any more.
  function lookAnew() {
    const live = document.getElementById("live");
    if (live) live.dataset.version = "";
  }

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.nodeName === "TR") lookAnew();
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) htmx.trigger(document.body, "integrations-changed");
  });

  // --- Notices -------------------------------------------------------------------------------------------------

  function line(text, bad) {
    const added = document.createElement("p");
    added.className = bad ? "notice bad" : "notice";
    added.textContent = text;
    document.getElementById("notices")?.append(added);
    return added;
  }

  // Of what passes, the newest has the place, and counts those that it came in place of; what went wrong has its own.
  function fadeAway(added) {
    const isBad = added.classList.contains("bad");
    const before = [...added.parentElement.querySelectorAll(".notice[data-before]")].find((one) => one !== added && one.classList.contains("bad") === isBad);
    added.dataset.before = before ? Number(before.dataset.before) + 1 : 0;
    if (before) {
      before.remove();
      const count = document.createElement("small");
      count.textContent = ` ${added.dataset.before} more before`;
      added.append(count);
    }
    setTimeout(() => added.remove(), isBad ? 10000 : 5000);
  }

  document.addEventListener("htmx:oobAfterSwap", (event) => {
    if (event.detail.target.id === "notices") fadeAway(event.detail.target.lastElementChild);
  });

  const notice = (text, bad) => fadeAway(line(text, bad));

  let offline = null;

  function setOffline(is) {
    if (is && !offline) {
      offline = line("Gatehouse does not answer. What you see may be old; trying again.", true);
      document.getElementById("live")?.classList.add("old");
    } else if (!is && offline) {
      offline.remove();
      offline = null;
      document.getElementById("live")?.classList.remove("old");
    }
  }

  document.addEventListener("htmx:sendError", () => setOffline(true));
  document.addEventListener("htmx:timeout", () => setOffline(true));
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.xhr?.status) setOffline(false);
  });

  document.addEventListener("htmx:responseError", (event) => {
    const { xhr, elt } = event.detail;
    if (xhr.status === 404 && elt.id === "panel") return location.assign("/integrations" + location.search);
    if (xhr.status === 404) {
      elt.closest("[data-keep]")?.removeAttribute("data-keep");
      lookAnew();
      htmx.trigger(document.body, "integrations-changed");
    }
    const plain = (xhr.getResponseHeader("Content-Type") || "").startsWith("text/plain");
    if (!isPoll(elt) || xhr.status !== 404) notice(plain ? xhr.responseText : `The server answered ${xhr.status}.`, true);
  });

  // --- Times in the viewer's zone --------------------------------------------------------------------------------

  const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const STEPS = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [2592000, "day", 86400], [Infinity, "month", 2592000]];

  function told(moment) {
    const seconds = (Date.now() - moment) / 1000;
    if (Math.abs(seconds) < 5) return "just now";
    const [, unit, size] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
    return relative.format(seconds < 0 ? Math.ceil(-seconds / size) : -Math.floor(seconds / size), unit);
  }

  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

  const second = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

  // The pictures say their times in UTC, for want of anything better on the server.
  function tellSpans() {
    for (const span of document.querySelectorAll("title[data-start]")) {
      const { start, end } = span.dataset;
      const told = clock.format(new Date(start)) + "–" + clock.format(new Date(end));
      span.textContent = told + span.textContent.slice(span.textContent.indexOf(": "));
    }
    for (const point of document.querySelectorAll("title[data-at]")) {
      point.textContent = second.format(new Date(point.dataset.at)) + point.textContent.slice(point.textContent.indexOf(": "));
    }
  }

  function tellTimes() {
    for (const time of document.querySelectorAll("time")) {
      const moment = new Date(time.dateTime);
      const text = told(moment);
      if (time.textContent !== text) time.textContent = text;
      if (!time.title) time.title = exact.format(moment);
    }
  }

  // --- Countdowns: by how much was left when the server said so, as clocks differ --------------------------------

  function tellCountdowns() {
    for (const element of document.querySelectorAll("[data-left]")) {
      const { left, until } = element.dataset;
      if (element.toldUntil !== until) {
        element.toldUntil = until;
        element.endsAt = performance.now() + left * 1000;
      }
      const seconds = Math.max(0, Math.round((element.endsAt - performance.now()) / 1000));
      const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      if (element.textContent !== text) element.textContent = text;
      const bar = element.closest("section")?.querySelector("progress");
      if (bar) bar.value = seconds;
    }
  }

  // --- How long a call has been under way -------------------------------------------------------------------------

  function tellElapsed() {
    for (const element of document.querySelectorAll("[data-elapsed]")) {
      const { elapsed, of } = element.dataset;
      if (element.toldOf !== of) {
        element.toldOf = of;
        element.began = performance.now() - elapsed * 1000;
      }
      element.textContent = `${((performance.now() - element.began) / 1000).toFixed(1)} s`;
    }
  }

  setInterval(tellElapsed, 100);
  setInterval(tellCountdowns, 500);
  setInterval(tellTimes, 5000);

  window.gatehouse = { notice, tellTimes, tellSpans, isPoll };
  tellTimes();
  tellSpans();
  document.querySelectorAll(".notice").forEach(fadeAway);
})();
