// What a page does beyond links and forms: live counts, moving dots, theme without a reload, `g` then a letter.
"use strict";
const root = document.documentElement;
const still = matchMedia("(prefers-reduced-motion: reduce)");

// Live counts. The main part of a page names its stream; each message is {"ids": {id: text}, "moves": [id of a path]}.
let stream = null;
const mood = (state) => document.querySelectorAll(".live").forEach((e) => (e.dataset.live = state));

function show(told) {
  for (const [id, text] of Object.entries(told.ids ?? {}))
    document.querySelectorAll(`[data-live-id="${CSS.escape(id)}"]`).forEach((e) => {
      if (e.textContent !== text) e.textContent = text;
    });
  if (!still.matches) (told.moves ?? []).slice(0, 12).forEach((id, n) => setTimeout(travel, 120 * n, id));
}

function travel(id) {
  document.querySelectorAll(`path[data-band="${CSS.escape(id)}"]`).forEach((path) => {
    if (!path.getClientRects().length) return;
    const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    const length = path.getTotalLength(), began = performance.now(), takes = 500 + 2 * length;
    dot.setAttribute("r", "4");
    dot.setAttribute("class", path.classList.contains("map-lane") ? "map-dot goal" : "map-dot");
    path.parentNode.append(dot);
    const step = (now) => {
      const part = Math.min((now - began) / takes, 1), at = path.getPointAtLength(length * part);
      dot.setAttribute("cx", at.x);
      dot.setAttribute("cy", at.y);
      part < 1 && dot.isConnected ? requestAnimationFrame(step) : dot.remove();
    };
    requestAnimationFrame(step);
  });
}

function listen() {
  const source = document.querySelector("[data-stream]")?.dataset.stream;
  stream?.close();
  stream = source ? new EventSource(source) : null;
  if (!stream) return;
  stream.onmessage = (message) => (mood("on"), show(JSON.parse(message.data)));
  stream.addEventListener("stale", () => mood("stale"));
  stream.onerror = (event) => (mood("stale"), event.target.readyState === 2 && setTimeout(again, 10000, event.target));
}
const again = (closed) => closed === stream && listen(); // a browser gives up for good where the answer was no stream
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => event.persisted && listen());

// Theme: shown at once, remembered by the form that it belongs to.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button?.matches("[data-theme-next]")) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target, button));
  root.dataset.theme = button.value;
  button.value = { auto: "light", light: "dark", dark: "auto" }[button.value];
  fetch(event.target.action, { method: "POST", body, headers: { "HX-Request": "true" } });
});

// Keys: `g` and a letter of the menu; arrows move along whatever holds [data-arrows].
let going = 0;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  if (event.key === "g") going = event.timeStamp;
  else if (event.timeStamp - going < 1500) {
    going = 0;
    document.querySelector(`[data-letter="${CSS.escape(event.key)}"]`)?.click();
  }
  const chart = event.target.closest("[data-arrows]");
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (chart && step) (event.preventDefault(), point(chart, Number(chart.dataset.at ?? -1) + step));
});

// Curves: the column under the pointer, or the one that arrow keys have come to, shows its figures.
function point(chart, at) {
  const columns = chart.querySelectorAll(".curve-column");
  at = Math.max(0, Math.min(at, columns.length - 1));
  chart.dataset.at = at;
  columns.forEach((column, n) => column.classList.toggle("on", n === at));
  const said = chart.parentNode.querySelector(".curve-said");
  if (said) said.textContent = columns[at]?.dataset.said ?? "";
}

listen();
