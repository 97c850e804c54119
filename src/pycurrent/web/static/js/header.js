// The header of each page: the result, and the number of stages in each state, kept up to date.

import { element } from "./dom.js";
import { live } from "./live.js";
import { grouped } from "./numbers.js";
import { SIGNS, WORDS, rankOf } from "./states.js";

const title = document.title.replace(/^✗ [\d,]+ · /, "");

// On a phone the names of the pages may not fit: the one that is open is in view.
document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

live.on("overview", ({ result, counts, jobs, problems, headline }) => {
  showCounts(counts);
  showIcon(counts);
  showResult(result);
  showHeadline(headline);
  showProblems(problems);
  const active = document.querySelector('[data-live="active-jobs"]');
  if (active !== null) active.textContent = jobs;
});

live.on("open", () => showConnection(""));
live.on("lost", () => showConnection("Not connected: this is how it was. Trying again …"));
live.on("late", () =>
  showConnection(
    "No live updates yet: the engine does not answer, or other pages of it hold all the connections" +
      " that this browser opens. Close or cover one of them.",
  ),
);

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

/** The problems of the engine itself. Drawn again only on a change, as screen readers read it. */
function showProblems(problems) {
  const place = document.querySelector('[data-live="problems"]');
  if (place === null) return;
  const shown = [...place.children].map((item) => item.textContent);
  if (shown.length === problems.length && shown.every((text, at) => text === problems[at])) return;
  const items = problems.map((problem) => {
    const item = document.createElement("li");
    item.textContent = problem;
    return item;
  });
  place.replaceChildren(...items);
}

/** The icon tells of what is of most concern, as the server chooses it. */
function showIcon({ failed, waiting_for_confirmation: waiting, running }) {
  const name = failed ? "icon-failed" : waiting ? "icon-waiting" : running ? "icon-running" : "icon";
  const link = document.querySelector('link[rel="icon"]');
  const address = link.getAttribute("href").replace(/[^/]*$/, `${name}.svg`);
  if (link.getAttribute("href") !== address) link.setAttribute("href", address);
}

function showResult({ state }) {
  const place = document.querySelector('[data-live="result"]');
  const badge = place?.querySelector(".badge");
  if (!badge) return;
  const rank = rankOf(state);
  const sign = SIGNS[rank];
  if (!badge.classList.contains(`s-${sign}`)) {
    badge.className = `state badge s-${sign}`;
    const drawn = document.querySelector(`.counts svg.s-${sign}`);
    if (drawn !== null) badge.querySelector("svg").replaceWith(drawn.cloneNode(true));
    badge.querySelector("span").textContent = WORDS[rank];
  }
}

/** The last failure, with its place. Drawn again only on a change: somebody may be about to click. */
let told = null;
function showHeadline(headline) {
  const place = document.querySelector("[data-headline]");
  const text = JSON.stringify(headline);
  if (place === null || text === told) return;
  told = text;
  if (headline === null) {
    place.replaceChildren();
    return;
  }
  const { path, message, more } = headline;
  const parts = [element("span", { class: "said", title: message }, message)];
  if (path !== null) {
    const link = element("a", { href: `/stage?path=${encodeURIComponent(path)}` }, path);
    parts.unshift(element("span", { class: "place" }, link, message ? ":" : ""), " ");
  }
  if (more) parts.push(" ", element("a", { class: "more", href: "/?state=failed" }, `and ${grouped(more)} more`));
  place.replaceChildren(...parts);
}
