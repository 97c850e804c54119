// The head of each page: the result, and how many stages are in which state, as they are now.

import { live } from "./live.js";
import { grouped } from "./numbers.js";

const WORDS = { failed: "failed", running: "running", ready: "ready", ok: "ok", blocked: "blocked" };
const title = document.title;

live.on("overview", ({ result, counts, jobs }) => {
  showCounts(counts);
  showResult(result);
  const active = document.querySelector('[data-live="active-jobs"]');
  if (active !== null) active.textContent = jobs;
});

live.on("open", () => showConnection(""));
live.on("lost", () => showConnection("Not connected: this is how it was. Trying again …"));

function showConnection(text) {
  const place = document.querySelector("[data-offline-note]");
  if (place !== null && place.textContent !== text) place.textContent = text;
}

/** `counts` by the names of states, `waiting_for_confirmation` among them. */
export function showCounts(counts) {
  for (const item of document.querySelectorAll('[data-live="counts"] [data-state]')) {
    const number = counts[item.dataset.state] ?? 0;
    const text = grouped(number);
    const place = item.querySelector("b");
    if (place.textContent !== text) place.textContent = text;
    item.classList.toggle("zero", number === 0);
  }
  const failed = counts.failed ?? 0;
  document.title = failed > 0 ? `✗ ${grouped(failed)} · ${title}` : title;
}

function showResult({ state, failure }) {
  const place = document.querySelector('[data-live="result"]');
  const badge = place?.querySelector(".badge");
  if (!badge) return;
  const waits = state === "waiting-for-confirmation";
  const sign = waits ? "waiting" : state;
  const text = (failure ?? "").split("\n", 1)[0];
  if (!badge.classList.contains(`s-${sign}`)) {
    badge.className = `state badge s-${sign}`;
    const drawn = document.querySelector(`.counts svg.s-${sign}`);
    if (drawn !== null) badge.querySelector("svg").replaceWith(drawn.cloneNode(true));
    badge.querySelector("span").textContent = waits ? "to confirm" : WORDS[state];
  }
  place.title = text;
  let said = place.querySelector(".muted");
  if (said === null && text) place.append(" ", (said = document.createElement("span")));
  if (said !== null) {
    said.className = "muted";
    said.textContent = text;
  }
}
