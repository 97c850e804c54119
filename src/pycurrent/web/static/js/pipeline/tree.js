// The diagram as a tree of containers, made of the graph that the server sends.
//
// A *box* is one node of the graph. A *container* holds boxes and other containers: the whole
// diagram, a list, what a list does for one *item*, an option, or a *stack* of many alike parts
// that stand beside each other. The server says which boxes are in which list; what belongs to
// which item follows from the edges.
//
// Each container has a *path*, made of labels, by which an address can name it: it is the same
// after a restart. A container knows how many of its stages are in each state.

import { Box, Container, put } from "./containers.js";
import { findItems } from "./items.js";
import { findStacks } from "./stacks.js";

/** The tree of a snapshot that the server has sent. */
export class Tree {
  constructor(snapshot, { isUnfolded = false } = {}) {
    this.version = snapshot.version;
    /** Whether the server was asked to open all folds. */
    this.isUnfolded = isUnfolded;
    this.boxes = new Map();
    this.root = new Container("root", "");
    const groups = this.readGroups(snapshot);
    this.readBoxes(snapshot, groups);
    const edges = this.readEdges(snapshot);
    findItems(groups, edges);
    /** The lists, and ranges of them, whose inside the server has left out. */
    this.closed = closeLists(this.boxes);
    flatten(this.root);
    findStacks(this.root, edges);
    this.identify();
    lift(edges);
    this.count();
    this.folds = [...this.boxes.values()].filter(({ kind }) => kind === "fold");
  }

  readGroups(snapshot) {
    const groups = new Map([[null, this.root]]);
    for (const { id, kind, label, parent } of snapshot.groups) {
      const group = new Container(kind, label);
      group.id = id;
      put(group, groups.get(parent ?? null));
      group.depth = group.parent.depth + 1;
      groups.set(id, group);
    }
    return groups;
  }

  readBoxes(snapshot, groups) {
    snapshot.nodes.forEach((node, at) => {
      const box = new Box(node);
      box.at = at;
      this.boxes.set(node.id, box);
      put(box, groups.get(node.group ?? null));
      for (let place = box.parent; place !== null && place.at > at; place = place.parent) place.at = at;
    });
  }

  readEdges(snapshot) {
    const edges = [];
    const boxes = [...this.boxes.values()]; // edges name the places of their ends
    for (const { source, target, kind } of snapshot.edges) {
      const from = boxes[source];
      const to = boxes[target];
      from.outs.push(to);
      to.ins.push(from);
      edges.push({ from, to, control: kind === "control" });
    }
    return edges;
  }

  /** Give each container its depth, and an id to those that the server knows nothing of. */
  identify() {
    const open = [this.root];
    while (open.length > 0) {
      const container = open.pop();
      const taken = new Map();
      for (const child of container.children) {
        if (!child.isContainer) continue;
        if (child.kind === "stack") {
          const number = (taken.get(child.title) ?? 0) + 1;
          taken.set(child.title, number);
          child.id = `${container.id}/%stack:${child.title}${number > 1 ? `%#${number}` : ""}`;
        }
        child.depth = container.depth + 1;
        open.push(child);
      }
    }
  }

  count() {
    for (const box of this.boxes.values()) {
      if (box.isStage && box.concern >= 0) this.add(box, box.concern, 1);
    }
    for (const { remote } of this.closed) this.recount(remote);
  }

  /** Count what a closed list hides, in it and in what is around it. */
  recount({ standIn, inside }) {
    inside.forEach((number, rank) => {
      const more = number - standIn.counts[rank];
      if (more === 0) return;
      for (let place = standIn; place !== null; place = place.parent) place.counts[rank] += more;
    });
  }

  add(box, rank, number) {
    for (let place = box.parent; place !== null; place = place.parent) place.counts[rank] += number;
  }

  /** Take over states, by the ids of boxes. Gives the boxes that are shown otherwise now. */
  show(states) {
    const changed = [];
    for (const id in states) {
      const box = this.boxes.get(id);
      if (box === undefined) continue;
      const before = box.concern;
      if (box.show(states[id]) && box.isStage) {
        if (before >= 0) this.add(box, before, -1);
        if (box.concern >= 0) this.add(box, box.concern, 1);
      }
      if (box.inside !== null) this.recount(box);
      changed.push(box);
    }
    return changed;
  }
}

/**
 * Have a closed container stand in for each list that the server has closed. Beside these, what is
 * open has the place that it had while it was closed.
 */
function closeLists(boxes) {
  const closed = [];
  const around = new Set();
  for (const box of boxes.values()) {
    if (box.kind !== "list") continue;
    const { parent } = box;
    const container = new Container("list", box.label);
    container.id = box.id;
    container.remote = box;
    container.parent = parent;
    container.at = box.at;
    box.standIn = container;
    parent.children[parent.children.indexOf(box)] = container;
    closed.push(container);
    around.add(parent);
  }
  for (const { children } of around) children.sort((one, other) => one.at - other.at);
  return closed;
}

/** An item that has one box only needs no container around it. */
function flatten(container) {
  const open = [container];
  while (open.length > 0) {
    const parent = open.pop();
    parent.children = parent.children.map((child) => {
      if (!child.isContainer) return child;
      const [only] = child.children;
      if (child.kind === "item" && child.children.length === 1 && !only.isContainer) {
        only.parent = parent;
        only.rowLabel = child.label;
        only.item = child.item;
        child.item.standIn = only;
        return only;
      }
      open.push(child);
      return child;
    });
  }
}

function depthOf(part) {
  return part.isContainer ? part.depth : part.parent.depth + 1;
}

/** Hand each edge to the container in which its ends are apart. */
function lift(edges) {
  const known = new Map();
  for (const { from, to, control } of edges) {
    let one = from.standIn ?? from;
    let other = to.standIn ?? to;
    while (depthOf(one) > depthOf(other)) one = one.parent;
    while (depthOf(other) > depthOf(one)) other = other.parent;
    if (one === other) continue;
    while (one.parent !== other.parent) {
      one = one.parent;
      other = other.parent;
    }
    let targets = known.get(one);
    if (targets === undefined) known.set(one, (targets = new Map()));
    const edge = targets.get(other);
    if (edge === undefined) {
      const lifted = { from: one, to: other, control };
      targets.set(other, lifted);
      one.parent.edges.push(lifted);
    } else if (!control) {
      edge.control = false;
    }
  }
}
