// Assigns the boxes of a list to its items.
//
// All boxes of a list are in one group, as far as the server says. An item owns what can be
// reached from its box and from no other item's, and what only leads to things of its own. The
// rest, what several items share, stays beside them.

import { Container, put } from "./containers.js";

const NOBODY = null;
const SHARED = Symbol("shared");

/** Put a container around each item of the lists among these groups. */
export function findItems(groups, edges) {
  const inside = levels(edges);
  for (const group of groups.values()) {
    if (group.kind === "list" || group.kind === "range") new Items(group, inside.get(group) ?? []).contain();
  }
}

/** The edges between the direct children of each group, as pairs of these. */
function levels(edges) {
  const found = new Map();
  for (const { from, to } of edges) {
    const [group, one, other] = meet(from, to);
    if (one === other) continue;
    const pairs = found.get(group);
    if (pairs === undefined) found.set(group, [[one, other]]);
    else pairs.push([one, other]);
  }
  return found;
}

/** The innermost group that holds both, and its children that do. */
function meet(one, other) {
  while (one.parent !== other.parent) {
    if (one.parent.depth >= other.parent.depth) one = one.parent;
    else other = other.parent;
  }
  return [one.parent, one, other];
}

class Items {
  constructor(group, pairs) {
    this.group = group;
    this.targets = new Map();
    for (const [one, other] of pairs) {
      const targets = this.targets.get(one);
      if (targets === undefined) this.targets.set(one, [other]);
      else targets.push(other);
    }
    this.owners = new Map();
  }

  contain() {
    const items = this.group.children.filter((child) => child.kind === "item");
    for (const item of items) this.claim(item);
    for (const child of this.group.children) this.lead(child);
    const containers = new Map(items.map((item) => [item, contained(item)]));
    const children = this.group.children;
    this.group.children = [];
    for (const child of children) {
      const owner = this.owners.get(child) ?? NOBODY;
      if (owner === child) put(containers.get(child), this.group);
      else if (owner === NOBODY || owner === SHARED) put(child, this.group);
      else put(child, containers.get(owner));
    }
    this.group.children = this.group.children.map((child) => unlessEmpty(child, this.group));
  }

  /** Give an item all that can be reached from it; what another one has too becomes shared. */
  claim(item) {
    const open = [[item, item]];
    while (open.length > 0) {
      let [part, owner] = open.pop();
      const before = this.owners.get(part);
      if (before === owner || before === SHARED) continue;
      if (before !== undefined) owner = SHARED;
      this.owners.set(part, owner);
      for (const target of this.targets.get(part) ?? []) open.push([target, owner]);
    }
  }

  /** A box without an owner belongs to an item if everything that it leads to does. */
  lead(start) {
    const open = [start];
    while (open.length > 0) {
      const part = open.at(-1);
      if (this.owners.has(part)) {
        open.pop();
        continue;
      }
      const targets = this.targets.get(part) ?? [];
      const unknown = targets.filter((target) => !this.owners.has(target) && !open.includes(target));
      if (unknown.length > 0) {
        open.push(...unknown);
        continue;
      }
      const owners = new Set(targets.map((target) => this.owners.get(target) ?? NOBODY));
      this.owners.set(part, owners.size === 1 ? [...owners][0] : NOBODY);
      open.pop();
    }
  }
}

function contained(item) {
  const container = new Container("item", item.label);
  container.id = item.id;
  container.item = item;
  item.standIn = container;
  return container;
}

/** An item for which nothing is done stays a box. */
function unlessEmpty(child, group) {
  if (child.kind !== "item" || !child.isContainer || child.children.length > 0) return child;
  child.item.standIn = null;
  child.item.parent = group;
  return child.item;
}
