// Review: says by keys what pictures show. All pictures of the sitting are fetched before they are wanted, and what is
// said is sent behind the reader's back, in order, until the server has it: one that is away for a while costs nothing.
"use strict";

const AHEAD = 5, BEHIND = 2, RETRY_FIRST = 250, RETRY_LAST = 4000;
const room = document.getElementById("room");
if (room) review();

function review() {
  const find = (id) => document.getElementById(id);
  const items = JSON.parse(room.dataset.items), names = JSON.parse(room.dataset.names);
  const own = new Set(JSON.parse(room.dataset.own));
  const headers = { "Content-Type": "application/json", ...JSON.parse(document.body.getAttribute("hx-headers")) };
  const sheet = find("sheet"), options = [...sheet.children], help = find("help");
  const undoable = [], unsent = [], pictures = new Map();
  let at = 0, anchor = null, joint = null, sending = false;

  for (const item of items) Object.assign(item, { seen: "", said: undefined, other: null, trouble: "" });
  const name = (key) => names[key ?? ""] ?? key;
  const selected = () => (anchor === null ? [at] : range(Math.min(anchor, at), Math.max(anchor, at)));
  const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

  // -- what is shown ------------------------------------------------------------------------------------------------

  const address = (index) => `/pictures/${items[index].instance}?size=reading`;
  const pause = (time) => new Promise((done) => setTimeout(done, time));

  function pictureOf(index) {
    if (!pictures.has(index)) {
      const image = new Image();
      image.src = address(index);
      image.addEventListener("error", () => missing(index));
      pictures.set(index, image);
    }
    return pictures.get(index);
  }

  // The server was away: asked for again, as long as it is near.
  async function missing(index) {
    pictures.delete(index);
    await pause(index === at ? RETRY_FIRST : RETRY_LAST / 4);
    if (index === at) show();
    else if (index >= at - BEHIND && index <= at + AHEAD) pictureOf(index);
  }

  // What is near is decoded too, so that it is shown at once.
  function prefetch() {
    for (const index of range(Math.max(0, at - BEHIND), Math.min(items.length - 1, at + AHEAD))) {
      pictureOf(index).decode().catch(() => {});
    }
    for (const index of pictures.keys()) if (index < at - BEHIND) pictures.delete(index);
  }

  // All others one after the other, so that what is near never waits for them. An image tells no status, so each is
  // fetched, and taken from the browser's cache then.
  async function fetchAll() {
    for (let index = 0; index < items.length; index++) {
      while (index > at && !pictures.has(index)) {
        if (await isFetched(index)) pictureOf(index);
        else await pause(RETRY_LAST / 4);
      }
    }
  }

  async function isFetched(index) {
    try {
      const answer = await fetch(address(index));
      await answer.blob();
      return answer.status < 500;
    } catch {
      return false;
    }
  }

  function show() {
    const item = items[at], image = pictureOf(at);
    image.alt = `Picture ${at + 1}, suggested: ${name(item.suggested)}`;
    find("picture").replaceChildren(image);
    find("picture").dataset.instance = item.instance;
    find("likely").replaceChildren(...item.top.map(([key, share], i) => line(i + 1, key, share, item)));
    find("why").textContent = item.explanation || (item.claimed ? `The header says: ${item.claimed}.` : "");
    const chosen = selected();
    options.forEach((option, index) => {
      option.setAttribute("aria-selected", chosen.includes(index));
      option.classList.toggle("now", index === at);
    });
    sheet.setAttribute("aria-activedescendant", options[at].id);
    reveal(options[at]);
    say();
    prefetch();
  }

  // Scrolls the sheet alone: the page stays where it is.
  function reveal(option) {
    const inner = option.getBoundingClientRect(), outer = sheet.getBoundingClientRect();
    if (inner.left < outer.left || inner.right > outer.right) sheet.scrollLeft += inner.left - outer.left - outer.width / 3;
    if (inner.top < outer.top || inner.bottom > outer.bottom) sheet.scrollTop += inner.top - outer.top - outer.height / 3;
  }

  function line(digit, key, share, item) {
    const entry = document.createElement("li"), button = document.createElement("button"), digitKey = document.createElement("kbd");
    digitKey.textContent = digit;
    button.append(digitKey, ` ${name(key)} `, Object.assign(document.createElement("span"), { textContent: share }));
    Object.assign(button, { type: "button", tabIndex: -1, className: key === item.suggested ? "key suggested" : "key" });
    button.dataset.key = key;
    entry.append(button);
    return entry;
  }

  function sentence(item) {
    if (item.trouble) return item.trouble;
    if (item.other) {
      const { author, label } = item.other;
      return `${author} said ${name(label)} first: yours was not kept. Say it again to replace it.`;
    }
    if (item.said === undefined) return `Suggested: ${name(item.suggested)}${item.disagrees ? ", and the header says something else" : ""}`;
    return `You said ${name(item.said)}${item.saved ? "" : ", not yet saved"}`;
  }

  function say() {
    const item = items[at], count = items.filter((one) => one.said !== undefined).length;
    const agreed = items.filter((one) => one.said !== undefined && one.said === one.suggested).length;
    const waits = unsent.length ? ` ${unsent.length} not yet saved.` : "";
    const chosen = selected().length > 1 ? ` ${selected().length} selected.` : "";
    find("progress").textContent = `${count} of ${items.length}, ${agreed} agreed.${chosen}${waits}`;
    find("said").textContent = sentence(item);
    find("said").className = item.other || item.trouble ? "said wrong" : item.said === undefined ? "said" : "said done";
  }

  function mark(item) {
    const option = options[items.indexOf(item)];
    const word = item.trouble ? "not kept" : item.other ? `${name(item.other.label)}, by ${item.other.author}` : item.said === undefined ? "" : name(item.said);
    option.querySelector(".mark").textContent = word ? ` ${word}` : "";
    option.classList.toggle("done", item.said !== undefined);
    option.classList.toggle("conflict", Boolean(item.other || item.trouble));
    say();
  }

  // -- what is said -------------------------------------------------------------------------------------------------

  function tell(key) {
    const chosen = selected();
    for (const index of chosen) {
      Object.assign(items[index], { said: key, other: null, trouble: "", saved: false });
      send(items[index], key);
    }
    undoable.push(chosen);
    chosen.forEach((index) => mark(items[index]));
    const last = chosen[chosen.length - 1];
    const next = items.findIndex((item, index) => index > last && item.said === undefined);
    go(next >= 0 ? next : Math.min(last + 1, items.length - 1));
    if (items.every((item) => item.said !== undefined)) finish();
  }

  function withdraw(chosen) {
    for (const index of chosen) {
      if (items[index].said === undefined) continue;
      Object.assign(items[index], { said: undefined, other: null, trouble: "", saved: false });
      send(items[index], undefined);
      mark(items[index]);
    }
  }

  function undo() {
    const chosen = undoable.pop();
    if (!chosen) return;
    withdraw(chosen);
    go(chosen[0]);
  }

  function finish() {
    const link = document.createElement("a");
    Object.assign(link, { href: room.dataset.next, textContent: "All said: the next pictures" });
    find("pending").replaceChildren(link);
  }

  // -- sending, one after the other ---------------------------------------------------------------------------------

  function send(item, label) {
    unsent.push({ item, label });
    if (!sending) pump();
  }

  async function pump() {
    sending = true;
    let delay = RETRY_FIRST;
    while (unsent.length) {
      const answer = await attempt(unsent[0]);
      if (answer === null || answer.status >= 500 || answer.status === 429 || answer.status === 401) {
        find("trouble").textContent = answer?.status === 401
          ? "You are signed out. Sign in again in another tab: what you said is kept here until then."
          : "The server does not answer. What you said is kept here, and sent once it does.";
        await pause(delay);
        delay = Math.min(delay * 2, RETRY_LAST);
        continue;
      }
      find("trouble").textContent = "";
      delay = RETRY_FIRST;
      const { item, label } = unsent.shift();
      await settle(item, label, answer);
      mark(item);
    }
    sending = false;
  }

  async function attempt({ item, label }) {
    const url = `/api/instances/${item.instance}/truth`, seen = item.seen;
    try {
      if (label === undefined) return await fetch(`${url}?seen=${encodeURIComponent(seen)}`, { method: "DELETE", headers });
      const body = JSON.stringify({ label: label || null, seen, new_class: own.has(label) });
      return await fetch(url, { method: "PUT", headers, body });
    } catch {
      return null;
    }
  }

  async function settle(item, label, answer) {
    const found = await answer.json().catch(() => ({}));
    const waiting = unsent.some((one) => one.item === item);
    if (answer.ok) {
      item.seen = found.withdrawn ? "" : found.time;
      item.saved = true;
    } else if (answer.status === 409) {
      item.seen = found.truth?.time ?? "";
      const trouble = found.truth || label === undefined ? "" : `Not kept: ${found.detail}`;
      if (!waiting) Object.assign(item, { said: undefined, other: found.truth, trouble });
    } else if (answer.status !== 404 || item.said !== undefined) {
      Object.assign(item, { said: undefined, trouble: `Not kept: ${found.detail ?? answer.status}` });
    }
  }

  // -- keys ---------------------------------------------------------------------------------------------------------

  function go(index, extend = false) {
    anchor = extend ? (anchor ?? at) : null;
    at = Math.max(0, Math.min(index, items.length - 1));
    begin(null);
    show();
  }

  function begin(letter) {
    joint = letter && room.querySelector(`[data-joint="${letter}"]`);
    for (const one of room.querySelectorAll("[data-joint]")) one.classList.toggle("begun", one === joint);
    if (joint) find("pending").textContent = `${joint.querySelector("dt").textContent.trim()} …`;
    else if (!find("pending").querySelector("a")) find("pending").textContent = "";
  }

  function letter(key) {
    if (joint) {
      const entry = joint.querySelector(`[data-letter="${CSS.escape(key)}"]`);
      if (!entry) return begin(null);
      return tell(entry.dataset.key);
    }
    if (key === room.dataset.none) return tell("");
    const begun = /^[a-z]$/.test(key) && room.querySelector(`[data-joint="${key}"]`);
    if (!begun) return undefined;
    const only = begun.querySelector('[data-letter=""]');
    return only ? tell(only.dataset.key) : begin(key);
  }

  const KEYS = {
    " ": () => tell(items[at].suggested),
    Backspace: undo,
    Delete: () => withdraw(selected()),
    ArrowRight: (event) => go(at + 1, event.shiftKey),
    ArrowDown: (event) => go(at + 1, event.shiftKey),
    ArrowLeft: (event) => go(at - 1, event.shiftKey),
    ArrowUp: (event) => go(at - 1, event.shiftKey),
    Home: (event) => go(0, event.shiftKey),
    End: (event) => go(items.length - 1, event.shiftKey),
    Enter: () => { room.classList.toggle("as-sheet"); reveal(options[at]); },
    Escape: () => go(at),
    "?": () => help.showModal(),
  };

  sheet.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const top = items[at].top[Number(event.key) - 1];
    const act = !joint && KEYS[event.key];
    if (event.key.length > 1 && !KEYS[event.key]) return;
    event.preventDefault();
    if (act) act(event);
    else if (joint && event.key === "Escape") begin(null);
    else if (top && !joint) tell(top[0]);
    else letter(event.key.toLowerCase());
  });

  // A click does what the key does, and leaves the focus where the keys work.
  room.addEventListener("mousedown", (event) => {
    if (event.target.closest("button, li")) event.preventDefault();
  });
  room.addEventListener("click", (event) => {
    const button = event.target.closest("button.key"), option = event.target.closest("[role=option]");
    if (button) tell(button.dataset.key);
    if (option) go(options.indexOf(option), event.shiftKey);
    if (button || option) sheet.focus({ preventScroll: true });
  });
  help.addEventListener("close", () => sheet.focus());
  window.addEventListener("beforeunload", (event) => { if (unsent.length) event.preventDefault(); });
  sheet.focus({ preventScroll: true });
  show();
  fetchAll();
}
