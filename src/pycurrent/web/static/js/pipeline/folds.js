// Decides which containers are open.
//
// By default as many as can be shown without crowding the page, from the outside in. That depends on
// the structure only, so nothing opens or closes because a state has changed. The reader's own folds
// override it, and are part of the address.

/** Boxes that are shown without having been asked for. */
export const BUDGET = 150;

const ALL = "*";

/** True if an id is that of a list, or of a range of one, which the server may send closed. */
export function isOfList(id) {
  return /^%(list|range)\b/.test(id.slice(id.lastIndexOf("/") + 1));
}

export class Folds {
  /** `opened` and `shut` are ids of containers; `*` stands for all that neither one names. */
  constructor(opened = [], shut = []) {
    this.opened = new Set(opened);
    this.shut = new Set(shut);
    this.byDefault = new Set();
  }

  /** Decide what is open by default in this tree. */
  reckon(tree) {
    this.byDefault = defaults(tree.root);
  }

  isOpen(container) {
    const { id } = container;
    if (container.remote !== null) return false;
    if (container.parent === null || this.opened.has(id)) return true;
    if (this.shut.has(id) || this.shut.has(ALL)) return false;
    return this.opened.has(ALL) || this.byDefault.has(container);
  }

  open(container) {
    this.shut.delete(container.id);
    if (!this.isOpen(container)) this.opened.add(container.id);
  }

  close(container) {
    this.opened.delete(container.id);
    if (this.isOpen(container)) this.shut.add(container.id);
  }

  toggle(container) {
    if (this.isOpen(container)) this.close(container);
    else this.open(container);
  }

  /** Open all containers around this part. True if one of them was closed. */
  reveal(part) {
    let changed = false;
    for (let here = part.parent; here !== null; here = here.parent) {
      if (this.isOpen(here)) continue;
      this.open(here);
      changed = true;
    }
    return changed;
  }

  openAll() {
    this.reset();
    this.opened.add(ALL);
  }

  closeAll() {
    this.reset();
    this.shut.add(ALL);
  }

  /** As it is by default. */
  reset() {
    this.opened.clear();
    this.shut.clear();
  }
}

function defaults(root) {
  const open = new Set();
  let shown = weightOf(root);
  let level = [root];
  while (level.length > 0) {
    const next = [];
    for (const choice of level.flatMap(choices)) {
      // In place of each one stand its children.
      const cost = choice.reduce((sum, container) => sum + weightOf(container) - 1, 0);
      if (shown + cost > BUDGET) continue;
      shown += cost;
      for (const container of choice) open.add(container);
      next.push(...choice);
    }
    level = next;
  }
  return open;
}

/** The containers in this one: each by itself, but items all or none. */
function choices(container) {
  const containers = container.children.filter((child) => child.isContainer && child.remote === null);
  const items = containers.filter((child) => child.kind === "item");
  const others = containers.filter((child) => child.kind !== "item").map((child) => [child]);
  return items.length > 0 ? [...others, items] : others;
}

function weightOf(container) {
  return container.children.filter((child) => child.kind !== "junction").length;
}
