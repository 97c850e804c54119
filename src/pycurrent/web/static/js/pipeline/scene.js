// The visible parts of the diagram and their places: open containers as frames, boxes, closed
// containers, and the lines between them, all in the coordinates of the whole.

import { mosaicOf } from "./mosaic.js";
import { BOX, CLOSED, HEAD, PAD } from "./sizes.js";

const DOT = { w: 8, h: 8 };

/** How wide texts are, in the page's font. */
export class Ruler {
  constructor(font) {
    this.context = document.createElement("canvas").getContext("2d");
    this.context.font = font;
    this.widths = new Map();
  }

  width(text) {
    let width = this.widths.get(text);
    if (width === undefined) {
      width = this.context.measureText(text).width;
      if (this.widths.size > 50_000) this.widths.clear();
      this.widths.set(text, width);
    }
    return width;
  }

  /** As much of a text as there is room for. */
  cut(text, room) {
    if (this.width(text) <= room) return text;
    let [fits, low, high] = [1, 1, text.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.context.measureText(`${text.slice(0, middle)}…`).width <= room) {
        [fits, low] = [middle, middle + 1];
      } else {
        high = middle - 1;
      }
    }
    return `${text.slice(0, fits).trimEnd()}…`;
  }
}

/** The text of a box: an item that has this box only stands before it, unless it says so. */
export function textOf(box) {
  const { rowLabel } = box;
  if (!rowLabel || box.title.includes(rowLabel)) return box.title;
  return `${rowLabel} · ${box.title}`;
}

export class Scene {
  constructor(tree, folds, layouts, ruler) {
    this.folds = folds;
    this.layouts = layouts;
    this.ruler = ruler;
    this.frames = [];
    this.boxes = [];
    this.closed = [];
    this.lines = [];
    /** Where each part is: x, y, w, h. */
    this.areas = new Map();
    this.plans = new Map();
    const { w, h } = this.measure(tree.root);
    this.place(tree.root, PAD, PAD);
    this.w = w + 2 * PAD;
    this.h = h + 2 * PAD;
  }

  /** The size of a part; what is inside of it is laid out first. */
  measure(part) {
    if (!part.isContainer) return this.measureBox(part);
    if (!this.folds.isOpen(part)) return this.measureClosed(part);
    const sizes = part.children.map((child) => this.measure(child));
    const numbers = new Map(part.children.map((child, index) => [child, index]));
    const pairs = part.edges.map(({ from, to }) => [numbers.get(from), numbers.get(to)]);
    if (sizes.length === 0) return { w: 0, h: 0 };
    const plan = this.layouts.plan(sizes, pairs);
    this.plans.set(part, { plan, sizes });
    if (part.parent === null) return plan;
    const head = Math.ceil(this.ruler.width(part.title)) + 96;
    return {
      w: Math.ceil(Math.max(plan.w + 2 * PAD, Math.min(head, CLOSED.most))),
      h: Math.ceil(plan.h + HEAD + PAD),
    };
  }

  measureBox(box) {
    if (box.kind === "junction") return DOT;
    const text = Math.ceil(this.ruler.width(textOf(box)));
    const w = Math.min(BOX.most, BOX.left + text + BOX.right);
    return { w, h: BOX.height };
  }

  measureClosed(container) {
    const mosaic = mosaicOf(container);
    if (mosaic !== null) return { w: mosaic.w, h: mosaic.h };
    const text = Math.ceil(this.ruler.width(container.title)) + 82;
    return { w: Math.min(CLOSED.most, Math.max(CLOSED.least, text)), h: CLOSED.height };
  }

  /** Put what is in an open container where it belongs; x, y is where its inside begins. */
  place(container, x, y) {
    const found = this.plans.get(container);
    if (found === undefined) return;
    const { plan, sizes } = found;
    container.children.forEach((child, index) => {
      const area = { x: x + plan.at[index].x, y: y + plan.at[index].y, ...sizes[index] };
      this.areas.set(child, area);
      if (!child.isContainer) {
        this.boxes.push(child);
      } else if (this.plans.has(child)) {
        this.frames.push(child);
        this.place(child, area.x + PAD, area.y + HEAD);
      } else {
        this.closed.push(child);
      }
    });
    container.edges.forEach((edge, index) => {
      const points = plan.lines[index].map((point) => ({ x: x + point.x, y: y + point.y }));
      this.lines.push({ edge, points });
    });
  }
}

/** A line through these points, level in each of them. */
export function curve(points) {
  const [first, ...rest] = points;
  let path = `M${round(first.x)} ${round(first.y)}`;
  let before = first;
  for (const point of rest) {
    if (point.y === before.y) {
      path += `H${round(point.x)}`;
    } else {
      const middle = round((before.x + point.x) / 2);
      path += `C${middle} ${round(before.y)} ${middle} ${round(point.y)} ${round(point.x)} ${round(point.y)}`;
    }
    before = point;
  }
  return path;
}

function round(number) {
  return Math.round(number * 10) / 10;
}
