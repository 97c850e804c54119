// The diagram consists of boxes, and of containers of boxes and containers.

import { grouped } from "../numbers.js";
import { FAILED, STATES, rankOf } from "./states.js";

const ENDED = new Set(["ok", "failed", "muted"]);
const STAGES = new Set(["component", "bind", "fold"]);

export class Box {
  constructor(node) {
    this.id = node.id;
    this.kind = node.kind;
    this.label = node.label;
    this.labels = Object.entries(node.labels ?? {}).map(([name, value]) => `${name}=${value}`).join(" ");
    this.fold = node.fold ?? null;
    this.parent = null;
    /** The container that is drawn in its place, with the work for it, if it is an item. */
    this.standIn = null;
    this.ins = [];
    this.outs = [];
    this.isStage = STAGES.has(node.kind);
    /** Of a stage: its path, by which it has a page. */
    this.stage = node.path ?? null;
    /** Where it is in the diagram that the server sent. */
    this.at = 0;
    this.show(node);
  }

  /** Take over its new state. True if it now counts for a state of another rank. */
  show(node) {
    const before = this.concern;
    this.rank = node.state == null ? -1 : rankOf(node.state);
    /** How many stages have failed in what it hides, and why one of them has. */
    this.failedInside = node.failed_inside?.stages ?? 0;
    this.failureInside = node.failed_inside?.failure ?? null;
    /** Of a closed list: how many items it hides, and how many stages in each state. */
    this.items = node.inside?.items ?? 0;
    this.inside = node.inside ? STATES.map((name) => node.inside.stages[name.replaceAll("-", "_")]) : null;
    this.update = node.update == null ? -1 : rankOf(node.update);
    this.jobId = node.job_id ?? null;
    this.failure = node.failure ?? null;
    /** A note for people: that it is pinned, for example. */
    this.note = node.note ?? null;
    /** `pinned` or `paused` if people hold it: the note says who, until when, and why. */
    this.hold = node.hold ?? null;
    return this.concern !== before;
  }

  /** True while its job has not ended, or another run of it is under way. */
  get isBusy() {
    return this.update >= 0 || !ENDED.has(STATES[this.rank]);
  }

  /** The state that it counts for: a fold in which something has failed counts as failed. */
  get concern() {
    return this.failedInside > 0 ? FAILED : this.rank;
  }

  /** Its failure, or else one that it hides. */
  get why() {
    return this.failure ?? this.failureInside;
  }

  /** Says that it hides failures; empty if it hides none. */
  get insideInWords() {
    return this.failedInside > 0 ? `${grouped(this.failedInside)} failed inside` : "";
  }

  get isContainer() {
    return false;
  }

  /** The name under which it is shown. */
  get title() {
    if (this.kind === "list") return this.label || "list";
    if (this.kind === "fold") return `${this.fold.key}: ${this.fold.value}`;
    return this.label || this.kind;
  }
}

export class Container {
  constructor(kind, label) {
    this.kind = kind;
    this.label = label;
    this.parent = null;
    this.children = [];
    /** That of the list or item which it is; the same in each run of the engine. */
    this.id = "";
    this.depth = 0;
    /** The box of the item itself, whose inside this is. */
    this.item = null;
    /** The box that the server has sent in place of what is in it; null if that is here. */
    this.remote = null;
    /** Where its first box is in the diagram that the server sent. */
    this.at = Infinity;
    /** Edges between children: pairs of them, each once, and whether it is for control only. */
    this.edges = [];
    this.counts = STATES.map(() => 0);
  }

  get isContainer() {
    return true;
  }

  get title() {
    return this.label || { list: "list", option: "option", item: "item", root: "pipeline" }[this.kind];
  }

  get total() {
    return this.counts.reduce((sum, number) => sum + number, 0);
  }
}

/** Make a part the last child of a container. */
export function put(child, parent) {
  child.parent = parent;
  parent.children.push(child);
}

/** The containers around a box or container, from the outside, without the whole diagram. */
export function placeOf(part) {
  const place = [];
  for (let here = part.parent; here !== null && here.parent !== null; here = here.parent) {
    if (here.kind !== "stack") place.unshift(here);
  }
  return place;
}

const MOST_LOOKED_AT = 500; // boxes, to find the item that they belong to

/** The address of the page of the item to which all of these boxes belong; null if there is none. */
export function itemLink(boxes) {
  let around = null; // the names that all have in common
  let count = 0;
  for (const { stage } of boxes) {
    if (stage === null) continue;
    const names = stage.split("/").slice(0, -1);
    const same = around === null ? names.length : around.findIndex((name, at) => name !== names[at]);
    around = around === null ? names : same < 0 ? around : around.slice(0, same);
    if (around.length === 0 || (count += 1) === MOST_LOOKED_AT) break;
  }
  return around?.length ? `/items?path=${encodeURIComponent(around.join("/"))}` : null;
}

/** The boxes in a part, as far as they are here. */
export function* boxesIn(part) {
  const open = [part];
  while (open.length > 0) {
    const here = open.pop();
    if (here.isContainer) open.push(...here.children);
    else yield here;
  }
}

/** The same of the item that a part of the diagram is, or is in. */
export function itemLinkOf(part) {
  for (let place = part; place !== null; place = place.parent) {
    if (place.isContainer && place.kind === "item") return itemLink(boxesIn(place));
  }
  return part.isContainer ? null : itemLink([part]);
}
