// The diagram: drawn again when its structure or its folds have changed; other changes only repaint
// the changed parts.

import { element } from "../dom.js";
import { itemLinkOf } from "./containers.js";
import { Layouts } from "./layout.js";
import { Ruler, Scene } from "./scene.js";
import { BoxShape, ClosedShape, FrameShape, lineOf } from "./shapes.js";
import { HEAD } from "./sizes.js";
import { svg } from "./states.js";
import { neighbour } from "./walk.js";
import { Zoom } from "./zoom.js";

const FONT = "13px ";
const MOST_SPINNING = 60;
const MOST_FLASHING = 100; // of one batch
export const MOST_SHOWN = 4000; // boxes, more than a browser draws without a pause

export class Diagram {
  /** `page` has: folds, changed(), unfold(box), matches(box), card. */
  constructor(page) {
    this.page = page;
    this.layouts = new Layouts();
    this.shapes = new Map();
    this.ruler = new Ruler(FONT + getComputedStyle(document.body).fontFamily);
    this.layers = ["frames", "lines", "boxes"].map((name) => svg("g", { class: name }));
    this.drawing = svg("svg", { class: "drawing", role: "group", "aria-label": "Diagram" }, ...this.layers);
    this.area = element("div", { class: "canvas" }, this.drawing);
    this.element = this.area;
    this.zoom = new Zoom(this.area, this.drawing, () => page.changed());
    this.current = null;
    this.isFresh = true;
    this.listen();
  }

  // Drawing

  /** Show this tree with its folds. The part `anchor` keeps its place on the screen. */
  draw(tree, anchor = this.current) {
    const before = this.scene?.areas.get(this.shapeOf(anchor)?.part);
    this.tree = tree;
    this.scene = new Scene(tree, this.page.folds, this.layouts, this.ruler);
    this.update();
    this.zoom.resize(this.scene.w, this.scene.h);
    this.lookAgain();
    if (this.isFresh && this.area.clientWidth > 0) {
      this.isFresh = false;
      const asked = this.page.zoomAsked;
      if (asked === null || !this.zoom.restore(asked)) this.zoom.fit();
    } else if (before !== undefined) {
      this.keep(before, this.scene.areas.get(this.shapeOf(anchor)?.part));
    }
    this.filter();
  }

  /** Scroll by as much as the anchor has moved. */
  keep(before, after) {
    if (after === undefined) return;
    this.area.scrollLeft += (after.x - before.x) * this.zoom.scale;
    this.area.scrollTop += (after.y - before.y) * this.zoom.scale;
  }

  update() {
    const { scene } = this;
    const old = this.shapes;
    this.shapes = new Map();
    const [frames, lines, boxes] = this.layers;
    const draw = (parts, Shape) =>
      parts.map((part) => {
        const area = scene.areas.get(part);
        let shape = old.get(part.id);
        if (shape instanceof Shape) {
          shape.part = part;
          (shape.head ?? shape.element).shown = part;
          shape.resize(area, this.ruler);
          shape.refresh();
        } else {
          shape = new Shape(part, area, this.ruler);
        }
        this.shapes.set(part.id, shape);
        return shape.element;
      });
    const focused = document.activeElement?.shown;
    frames.replaceChildren(...draw(scene.frames, FrameShape));
    boxes.replaceChildren(...draw(scene.closed, ClosedShape), ...draw(scene.boxes, BoxShape));
    this.drawLines(lines);
    this.calm();
    this.choose(this.shapeOf(this.current)?.part ?? scene.boxes[0] ?? scene.closed[0]);
    if (focused && this.shapeOf(focused) && document.activeElement === document.body) this.focus(focused);
  }

  drawLines(layer) {
    this.joined = new Map();
    const elements = this.scene.lines.map((line) => {
      const element = lineOf(line);
      for (const end of [line.edge.from, line.edge.to]) {
        const others = this.joined.get(end);
        if (others === undefined) this.joined.set(end, [element]);
        else others.push(element);
      }
      return element;
    });
    layer.replaceChildren(...elements);
  }

  /** Too many turning signs don't help, and cost time. */
  calm() {
    const running = this.tree.root.counts[2];
    this.drawing.classList.toggle("calm", running > MOST_SPINNING);
  }

  /** Repaint these boxes, and the containers around them. */
  patch(boxes) {
    if (this.scene === undefined) return;
    const touched = new Set();
    for (const box of boxes) {
      const shape = this.shapes.get(box.id);
      // Not that of the container which stands in for it.
      if (shape?.part === box) {
        shape.refresh();
        if (boxes.length <= MOST_FLASHING) flash(shape.element);
      }
      for (let place = box.standIn ?? box.parent; place !== null; place = place.parent) touched.add(place);
    }
    for (const container of touched) this.shapes.get(container.id)?.refresh();
    this.calm();
    this.filter();
  }

  // Search

  /** Dim all parts that don't match the search, and show where the matches are. */
  filter() {
    const { page, drawing } = this;
    drawing.classList.toggle("filtered", page.isFiltering);
    if (!page.isFiltering) return;
    const found = new Set();
    for (const box of this.tree.boxes.values()) {
      if (!page.matches(box)) continue;
      for (let place = box.standIn ?? box; place !== null; place = place.parent) found.add(place);
    }
    for (const shape of this.shapes.values()) {
      (shape.head ?? shape.element).classList.toggle("found", found.has(shape.part));
    }
  }

  /** Open the containers around a box, and bring it into view. */
  reveal(box) {
    const part = box.standIn ?? box;
    if (this.page.folds.reveal(part)) {
      this.draw(this.tree);
      this.page.changed();
    }
    this.choose(part);
    this.zoom.show(this.scene.areas.get(part));
    this.focus(part);
  }

  // Focus

  shapeOf(part) {
    return part ? this.shapes.get(part.id) : undefined;
  }

  target(part) {
    const shape = this.shapeOf(part);
    return shape?.head ?? shape?.element;
  }

  /** The part that the Tab key leads to. */
  choose(part) {
    this.target(this.current)?.setAttribute("tabindex", -1);
    this.current = part ?? null;
    this.target(part)?.setAttribute("tabindex", 0);
  }

  focus(part) {
    this.target(part)?.focus({ preventScroll: true });
  }

  // Input of the reader

  listen() {
    const { area } = this;
    area.addEventListener("click", (event) => this.click(event));
    area.addEventListener("keydown", (event) => this.key(event));
    area.addEventListener("focusin", (event) => this.look(event.target.closest("[tabindex]")?.shown, true));
    area.addEventListener("focusout", () => this.look(undefined));
    area.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") this.look(this.under(event), false);
    });
    area.addEventListener("pointerleave", () => this.look(undefined));
  }

  click(event) {
    const part = partAt(event.target);
    if (part === undefined) return;
    const inside = this.under(event);
    if (inside !== part) this.reveal(inside);
    else if (part.isContainer) this.toggle(part);
    else if (part.kind === "fold") this.page.unfold(part);
  }

  /** The part under the card may have been replaced by one of the same name, or be gone. */
  lookAgain() {
    const shape = this.looked === undefined ? undefined : this.shapeOf(this.looked);
    const { part: shown } = this.page.card;
    this.looked = shape?.part;
    if (shape === undefined) this.page.card.hide();
    else if (shown !== null) this.page.card.open(shape.part, this.target(shape.part));
  }

  /** The part under a pointer: in a closed container that of the square that is. */
  under(event) {
    const part = partAt(event.target);
    return (part?.isContainer && this.shapeOf(part)?.partUnder?.(event)) || part;
  }

  toggle(container) {
    if (container.remote !== null) {
      this.choose(container);
      this.page.unfold(container.remote);
      return;
    }
    this.page.folds.toggle(container);
    this.draw(this.tree, container);
    this.choose(container);
    this.focus(container);
    this.page.changed();
  }

  look(part, isFocused) {
    if (part === this.looked) return;
    for (const line of this.joined?.get(this.looked) ?? []) line.classList.remove("hot");
    this.looked = part;
    if (part === undefined) {
      this.page.card.hide();
      return;
    }
    for (const line of this.joined.get(part) ?? []) line.classList.add("hot");
    if (isFocused) this.choose(part);
    const anchor = this.target(part) ?? this.target(part.parent);
    this.page.card.show(part, anchor, { soon: isFocused });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const part = this.current;
    const handled = key.startsWith("Arrow")
      ? () => this.walk(key.slice(5).toLowerCase())
      : this.shortcut(key) ?? (key === " " || key === "Enter" ? this.activation(part) : null);
    if (handled === null) return;
    event.preventDefault();
    handled();
  }

  shortcut(key) {
    if (key === "+" || key === "=") return () => this.zoom.larger();
    if (key === "-") return () => this.zoom.smaller();
    if (key === "Home") return () => this.go(ends(this.scene)[0]);
    if (key === "End") return () => this.go(ends(this.scene)[1]);
    if (key === "o") return () => this.goToItem(this.current);
    return key === "0" ? () => this.zoom.fit() : null;
  }

  /** Handle the keys that press a button; links work by themselves. */
  activation(part) {
    if (part?.isContainer) return () => this.toggle(part);
    if (part?.kind === "fold") return () => this.page.unfold(part);
    return null;
  }

  /** Open the page of the item that a part belongs to, if it is in one. */
  goToItem(part) {
    const page = part === null ? null : itemLinkOf(part);
    if (page !== null) location.assign(page);
  }

  walk(direction) {
    const parts = [...this.scene.boxes, ...this.scene.closed, ...this.scene.frames];
    const next = neighbour(this.scene.areas, parts, this.current, direction, this.scene.plans);
    if (next !== null) this.go(next);
  }

  go(part) {
    this.choose(part);
    this.zoom.show(headOf(part, this.scene));
    this.focus(part);
  }
}

function partAt(target) {
  return target.closest(".box, .closed, .head")?.shown;
}

/** The parts that are furthest to the left and to the right, and there the uppermost and the lowest. */
function ends({ areas, boxes, closed }) {
  const place = (part) => areas.get(part);
  const order = (one, other) => place(one).x - place(other).x || place(one).y - place(other).y;
  const parts = [...boxes, ...closed].filter(({ kind }) => kind !== "junction").sort(order);
  return [parts[0], parts.at(-1)];
}

/** Where the part of a frame is that can be chosen. */
function headOf(part, scene) {
  const area = scene.areas.get(part);
  return scene.plans.has(part) ? { ...area, h: HEAD } : area;
}

/** Draw attention to a change. Alternating between two names restarts the animation. */
function flash(element) {
  element.dataset.fresh = element.dataset.fresh === "a" ? "b" : "a";
}
