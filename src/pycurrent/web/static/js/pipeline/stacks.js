// Many alike parts beside each other: a build for each of two hundred packages, say, that a
// pipeline makes in a loop, not by a list. Drawn one below the other they are a wall; as one
// stack, which opens to a grid, they can be looked at.

import { Container, put } from "./containers.js";

const MANY = 40; // parts beside each other, before any of them are stacked
const LEAST = 12; // parts of a stack

/** Stack the alike parts of each container. */
export function findStacks(root, edges) {
  const open = [root];
  const crowded = [];
  while (open.length > 0) {
    const container = open.pop();
    if (!["list", "range"].includes(container.kind) && container.children.length > MANY) crowded.push(container);
    for (const child of container.children) if (child.isContainer) open.push(child);
  }
  if (crowded.length === 0) return;
  const neighbours = adjacent(new Set(crowded), edges);
  for (const container of crowded) stack(container, neighbours);
}

/** For each child of these containers the children that edges join it with. */
function adjacent(containers, edges) {
  const found = new Map();
  const join = (one, other) => {
    const others = found.get(one);
    if (others === undefined) found.set(one, new Set([other]));
    else others.add(other);
  };
  for (const { from, to } of edges) {
    for (const container of containers) {
      const one = within(from, container);
      const other = within(to, container);
      if (one === null || other === null || one === other) continue;
      join(one, other);
      join(other, one);
    }
  }
  return found;
}

function within(part, container) {
  part = part.standIn ?? part;
  while (part !== null && part.parent !== container) part = part.parent;
  return part;
}

function stack(container, neighbours) {
  const of = (part) => neighbours.get(part) ?? new Set();
  const hubs = new Set(container.children.filter((child) => of(child).size >= LEAST));
  const stacks = new Map();
  for (const strand of strands(container.children, hubs, of)) {
    const key = keyOf(strand, hubs, of);
    const alike = stacks.get(key);
    if (alike === undefined) stacks.set(key, [strand]);
    else alike.push(strand);
  }
  const children = container.children;
  const moved = new Map();
  for (const alike of stacks.values()) {
    if (alike.length < LEAST) continue;
    const into = new Container("stack", nameOf(alike));
    for (const strand of alike) for (const part of strand) moved.set(part, into);
  }
  if (moved.size === 0) return;
  container.children = [];
  const placed = new Set();
  for (const child of children) {
    const into = moved.get(child);
    if (into !== undefined && !placed.has(into)) {
      placed.add(into);
      put(into, container);
    }
    put(child, into ?? container);
  }
}

/** The connected parts that are left without the hubs, to which many parts are joined. */
function strands(children, hubs, of) {
  const seen = new Set(hubs);
  const found = [];
  for (const child of children) {
    if (seen.has(child)) continue;
    const strand = [];
    const open = [child];
    seen.add(child);
    while (open.length > 0) {
      const part = open.pop();
      strand.push(part);
      for (const next of of(part)) {
        if (seen.has(next)) continue;
        seen.add(next);
        open.push(next);
      }
    }
    found.push(strand);
  }
  return found;
}

const numbers = new WeakMap();
let given = 0;

function numberOf(part) {
  if (!numbers.has(part)) numbers.set(part, (given += 1));
  return numbers.get(part);
}

/** Strands are alike that have as many parts, and hang on the same hubs. */
function keyOf(strand, hubs, of) {
  const joined = new Set();
  for (const part of strand) for (const next of of(part)) if (hubs.has(next)) joined.add(next);
  return `${strand.length} ${[...joined].map(numberOf).sort((a, b) => a - b).join(" ")}`;
}

/** The common beginning of the labels of the first parts. */
function nameOf(alike) {
  const labels = alike.map(([part]) => part.title);
  let common = labels[0];
  for (const label of labels) {
    let length = 0;
    while (length < common.length && common[length] === label[length]) length += 1;
    common = common.slice(0, length);
  }
  return `${common.replace(/[\s\d:/_.-]+$/, "") || "stages"} …`;
}
