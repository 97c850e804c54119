// The card for a part of the diagram that is hovered or focused: its state, why it has failed, or
// what it waits for.

import { get, jobPath } from "../api.js";
import { secondsSince } from "../clock.js";
import { element } from "../dom.js";
import { grouped } from "../numbers.js";
import { duration } from "../site.js";
import { placeOf } from "./containers.js";
import { BLOCKED, FAILED, OK, barOf, inWords, signOf, stateOf } from "./states.js";
import { textOf } from "./scene.js";

const SOON = 60; // milliseconds, after a choice by the keyboard
const LATER = 180; // for a pointer that may be on its way to something else
const MOST_LINES = 12;
const MOST_LISTED = 6;
const MARGIN = 10;

const KINDS = {
  bind: "decision",
  "unnamed bind": "decision",
  gate: "gate",
  state: "state",
  catch: "catch",
  latch: "latch",
  item: "item of a list",
  constant: "constant",
  input: "input",
  function: "function",
  fold: "folded part",
};

export class Card {
  constructor() {
    this.element = element("div", { class: "hover-card", role: "tooltip", id: "pipeline-card", hidden: true });
    this.timer = 0;
    this.part = null;
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.hide();
    });
  }

  show(part, anchor, { soon }) {
    clearTimeout(this.timer);
    if (part.kind === "junction") return this.hide();
    this.timer = setTimeout(() => this.open(part, anchor), soon ? SOON : LATER);
    return undefined;
  }

  hide() {
    clearTimeout(this.timer);
    this.part = null;
    this.element.hidden = true;
  }

  /** Update the card, if it is about one of these. */
  patch(parts) {
    if (this.part !== null && (this.part.isContainer || parts.includes(this.part))) {
      this.open(this.part, this.anchor);
    }
  }

  open(part, anchor) {
    this.part = part;
    this.anchor = anchor;
    const place = placeOf(part).map(({ title }) => title).join(" › ");
    const head = element("p", { class: "card-place" }, place);
    const content = part.isContainer ? containerSays(part) : boxSays(part);
    this.element.replaceChildren(...(place ? [head] : []), ...content);
    this.element.hidden = false;
    this.put();
    if (!part.isContainer) this.ask(part);
  }

  /** Place it below its part, or above, where there is room. */
  put() {
    const { left, top, bottom } = this.anchor.getBoundingClientRect();
    const { offsetWidth: w, offsetHeight: h } = this.element;
    const x = Math.max(MARGIN, Math.min(left, innerWidth - w - MARGIN));
    const below = bottom + MARGIN;
    const y = below + h < innerHeight ? below : Math.max(MARGIN, top - h - MARGIN);
    this.element.style.left = `${x}px`;
    this.element.style.top = `${y}px`;
  }

  /** Ask the job what it waits for, and since when. */
  async ask(box) {
    if (box.jobId === null || (box.rank === OK && box.update < 0)) return;
    const job = await get(jobPath(box.jobId)).catch(() => null);
    if (job === null || this.part !== box || this.element.hidden) return;
    this.element.querySelector("[data-job]")?.replaceChildren(...jobSays(job));
    this.put();
  }
}

function boxSays(box) {
  const content = [element("p", { class: "card-title" }, textOf(box))];
  const states = element("p", { class: "card-states" });
  if (box.rank >= 0) states.append(stateOf(box.rank, "badge"));
  if (box.update >= 0) states.append(element("span", { class: "muted" }, "update:"), stateOf(box.update, "badge"));
  if (box.failedInside > 0) states.append(element("span", { class: "state badge s-failed" }, signOf(FAILED), element("span", {}, box.insideInWords)));
  if (KINDS[box.kind]) states.append(element("span", { class: "muted" }, KINDS[box.kind]));
  content.push(states);
  if (box.labels) content.push(element("p", { class: "muted" }, box.labels));
  if (box.note !== null) content.push(element("p", {}, box.note));
  if (box.why !== null) content.push(element("pre", { class: "card-failure" }, firstLines(box.why)));
  else if (box.rank === BLOCKED) content.push(...waitsFor(box));
  content.push(element("div", { "data-job": true }));
  return content;
}

function firstLines(text) {
  const lines = text.split("\n");
  return lines.length > MOST_LINES ? `${lines.slice(0, MOST_LINES).join("\n")}\n…` : text;
}

function jobSays({ active, description, entry }) {
  const says = [element("p", { class: "muted" }, description)];
  if (active === null) {
    if (entry.took !== null) says.push(element("p", {}, `took ${duration(entry.took)}`));
    return says;
  }
  const { wait, started, created, level } = active;
  if (wait?.reason === "confirmation") {
    says.push(element("p", {}, `waits for confirmation: its level is ${wait.level}`));
  } else if (wait?.reason === "queue") {
    const place = wait.place === null ? "" : `, place ${wait.place} in the queue`;
    says.push(element("p", {}, `waits for pool ${wait.pool}${place}`));
  }
  const [verb, since] = started === null ? ["waits", created] : ["runs", started];
  const time = element("span", { class: "number", "data-since": since }, duration(secondsSince(since)));
  says.push(element("p", {}, `${verb} for `, time, level && started !== null ? ` · ${level}` : ""));
  return says;
}

/** The reasons why a box is blocked: the nearest boxes before it that are not blocked. */
export function culprits(box) {
  const seen = new Set([box]);
  const open = [box];
  const found = [];
  while (open.length > 0) {
    for (const source of open.pop().ins) {
      if (seen.has(source)) continue;
      seen.add(source);
      if (source.rank === OK) continue;
      if (source.rank === BLOCKED || source.rank < 0) open.push(source);
      else found.push(source);
    }
  }
  return found.sort((one, other) => one.rank - other.rank);
}

function waitsFor(box) {
  const found = culprits(box);
  if (found.length === 0) return [];
  const verb = found[0].rank === FAILED ? "held up by" : "waits for";
  return [element("p", { class: "muted" }, verb), listOf(found)];
}

function listOf(boxes) {
  const list = element("ul", { class: "card-list" });
  for (const box of boxes.slice(0, MOST_LISTED)) {
    const place = placeOf(box).at(-1)?.title;
    const where = place && !textOf(box).includes(place) ? element("span", { class: "muted" }, ` · ${place}`) : "";
    list.append(element("li", {}, stateOf(box.rank), " ", textOf(box), where));
  }
  if (boxes.length > MOST_LISTED) {
    list.append(element("li", { class: "muted" }, `and ${grouped(boxes.length - MOST_LISTED)} more`));
  }
  return list;
}

function containerSays(container) {
  const title = element("p", { class: "card-title" }, container.title);
  const stages = element("p", {}, inWords(container.counts));
  const concerning = boxesIn(container)
    .filter((box) => box.isStage && box.concern >= 0 && box.concern < BLOCKED)
    .sort((one, other) => one.concern - other.concern);
  const list = concerning.length > 0 ? [listOf(concerning)] : [];
  if (container.remote !== null) list.push(...closedSays(container.remote));
  return [title, barOf(container.counts), stages, ...list];
}

function closedSays({ items, why }) {
  const says = [element("p", { class: "muted" }, `${grouped(items)} ${items === 1 ? "item" : "items"}, closed`)];
  if (why !== null) says.push(element("pre", { class: "card-failure" }, firstLines(why)));
  return says;
}

function boxesIn(container) {
  const found = [];
  const open = [container];
  while (open.length > 0) {
    for (const child of open.pop().children) (child.isContainer ? open : found).push(child);
  }
  return found;
}
