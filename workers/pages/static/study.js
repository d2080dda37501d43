// A study: window, zoom and invert, in the browser alone. They act on the selected pictures, or on all where none is.
"use strict";

const tools = document.getElementById("tools");
if (tools) hang();

function hang() {
  const LIMITS = { brightness: [20, 300], contrast: [20, 400], zoom: [100, 800] };
  const PLAIN = { brightness: 100, contrast: 100, zoom: 100, invert: false, x: 0, y: 0 };
  const STEP = { brightness: 10, contrast: 10, zoom: 50 };
  const viewports = [...document.querySelectorAll(".viewport")];
  const looks = new Map(viewports.map((viewport) => [viewport, { ...PLAIN }]));
  const selected = () => viewports.filter((one) => one.getAttribute("aria-pressed") === "true");
  const meant = () => (selected().length ? selected() : viewports);

  function draw(viewport) {
    const { brightness, contrast, zoom, invert, x, y } = looks.get(viewport), { style } = viewport.firstElementChild;
    style.filter = `${invert ? "invert(1) " : ""}brightness(${brightness}%) contrast(${contrast}%)`;
    style.transform = `translate(${x}%, ${y}%) scale(${zoom / 100})`;
  }

  function change(viewport, values) {
    const look = Object.assign(looks.get(viewport), values);
    for (const [name, [low, high]] of Object.entries(LIMITS)) look[name] = Math.min(high, Math.max(low, look[name]));
    const room = (look.zoom - 100) / 2; // percent by which it sticks out on each side
    for (const name of ["x", "y"]) look[name] = Math.min(room, Math.max(-room, look[name]));
    draw(viewport);
  }

  function showTools() {
    const look = looks.get(meant()[0]) ?? PLAIN, count = selected().length;
    for (const name of Object.keys(LIMITS)) tools.elements[name].value = look[name];
    tools.elements.invert.checked = look.invert;
    document.getElementById("chosen").textContent = count ? `${count} selected` : "All pictures";
  }

  tools.addEventListener("input", ({ target }) => {
    const value = target.type === "checkbox" ? target.checked : Number(target.value);
    for (const viewport of meant()) change(viewport, { [target.name]: value });
  });
  tools.addEventListener("reset", (event) => {
    event.preventDefault();
    for (const viewport of meant()) change(viewport, PLAIN);
    showTools();
  });
  tools.addEventListener("submit", (event) => event.preventDefault());

  function moved(look, key) {
    const by = 2000 / look.zoom;
    return { ArrowLeft: { x: look.x + by }, ArrowRight: { x: look.x - by }, ArrowUp: { y: look.y + by }, ArrowDown: { y: look.y - by } }[key];
  }

  function keyed(look, key) {
    const more = (name, sign) => ({ [name]: look[name] + sign * STEP[name] });
    return {
      i: { invert: !look.invert }, "+": more("zoom", 1), "=": more("zoom", 1), "-": more("zoom", -1), 0: PLAIN,
      "]": more("brightness", 1), "[": more("brightness", -1), ".": more("contrast", 1), ",": more("contrast", -1),
    }[key.toLowerCase()] ?? (look.zoom > 100 ? moved(look, key) : undefined);
  }

  for (const viewport of viewports) {
    let from = null, dragged = false;
    viewport.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const values = keyed(looks.get(viewport), event.key);
      if (!values) return;
      event.preventDefault();
      change(viewport, values);
      showTools();
    });
    viewport.addEventListener("click", () => {
      if (!dragged) viewport.setAttribute("aria-pressed", viewport.getAttribute("aria-pressed") !== "true");
      dragged = false;
      showTools();
    });
    viewport.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // a wheel alone scrolls the page
      event.preventDefault();
      change(viewport, { zoom: looks.get(viewport).zoom - Math.sign(event.deltaY) * 25 });
      showTools();
    }, { passive: false });
    viewport.addEventListener("pointerdown", (event) => {
      from = { x: event.clientX, y: event.clientY, look: { ...looks.get(viewport) } };
      dragged = false;
      viewport.setPointerCapture(event.pointerId);
    });
    viewport.addEventListener("pointermove", (event) => {
      if (!from) return;
      const across = event.clientX - from.x, down = event.clientY - from.y, { look } = from;
      if (!dragged && Math.hypot(across, down) < 4) return;
      dragged = true;
      const { width, height } = viewport.getBoundingClientRect();
      change(viewport, look.zoom > 100
        ? { x: look.x + (across / width) * 100, y: look.y + (down / height) * 100 }
        : { contrast: look.contrast + across / 2, brightness: look.brightness - down / 2 });
      showTools();
    });
    for (const name of ["pointerup", "pointercancel"]) viewport.addEventListener(name, () => { from = null; });
  }
}
