// Keeps those parts of a page that are marked with data-live (names of events) as they are at the gateway now.
"use strict";

const PAUSE = 400; // milliseconds between two fetches, however often something changes
let source = null;
let isFetching = false;
let isWanted = false;

function parts() {
  return [...document.querySelectorAll("[data-live]")];
}

// Elements that are the same stay as they are: pictures do not flicker, and the focus does not move.
function replace(part, found) {
  const fresh = document.importNode(found, true);
  const before = new Map([...part.querySelectorAll("[data-key]")].map((each) => [each.dataset.key, each]));
  let added = 0;
  for (const each of fresh.querySelectorAll("[data-key]")) {
    const old = before.get(each.dataset.key);
    if (!old) added += 1;
    else if (old.outerHTML === each.outerHTML) each.replaceWith(old);
  }
  for (const each of part.querySelectorAll("details[id][open]")) {
    fresh.querySelector(`#${CSS.escape(each.id)}`)?.setAttribute("open", "");
  }
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.replaceChildren(...fresh.childNodes);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  return added;
}

async function refresh() {
  isWanted = true;
  if (isFetching) return;
  isFetching = true;
  while (isWanted) {
    isWanted = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.redirected) location.assign(answer.url); // signed out
      if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The gateway is away; the next event comes when it is back.
    }
    await new Promise((done) => setTimeout(done, PAUSE));
  }
  isFetching = false;
}

function show(page) {
  let added = 0;
  for (const part of parts()) {
    const fresh = page.getElementById(part.id);
    if (fresh) added += replace(part, fresh);
  }
  const news = document.getElementById("news");
  if (news && added) news.textContent = `${added} new`;
}

function listen() {
  if (source || document.hidden || !parts().length) return;
  source = new EventSource("/live");
  source.addEventListener("open", refresh); // for what happened while nobody listened
  for (const name of new Set(parts().flatMap((part) => part.dataset.live.split(" ")))) {
    source.addEventListener(name, refresh);
  }
}

// A browser has few connections to one host: pages that nobody sees keep none.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return listen();
  source?.close();
  source = null;
});
window.addEventListener("pagehide", () => source?.close());
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  source = null;
  listen();
});
listen();
