// The elements of a scene, and how they are brought up to date. Each part has one element, which it
// keeps as long as it is visible.

import { grouped } from "../numbers.js";
import { boxesIn, itemLink } from "./containers.js";
import { mosaicOf, partAt, squares } from "./mosaic.js";
import { curve, textOf } from "./scene.js";
import { BOX } from "./sizes.js";
import { BLOCKED, FAILED, SIGNS, WORDS, inWords, segments, svg, worstOf } from "./states.js";

const SIGN = 15;
const LINK = 24; // the width of the link in the head of a frame

/** The text for a box that a screen reader reads. */
function sayBox(box) {
  const state = box.rank < 0 ? "" : `: ${WORDS[box.rank]}`;
  const update = box.update < 0 ? "" : `, update ${WORDS[box.update]}`;
  const inside = box.failedInside > 0 ? `, ${box.insideInWords}` : "";
  const hold = box.hold === null ? "" : `, ${box.hold}`;
  return `${textOf(box)}${state}${update}${inside}${hold}`;
}

function sayContainer(container) {
  return `${container.title}: ${inWords(container.counts)}`;
}

/** The sign of a container: that of its stages of most concern. */
function rankOfContainer(container) {
  const worst = worstOf(container.counts);
  return worst < 0 ? BLOCKED : worst;
}

/** The mark on the corner of a fold in which something has failed: a sign and how many have. */
function insideMark({ failedInside }, corner) {
  const number = grouped(failedInside);
  const width = 24 + 7 * number.length;
  const text = svg("text", { x: 18, y: 8.5 });
  text.textContent = number;
  return [
    svg(
      "g",
      { class: "failed-inside s-failed", transform: `translate(${corner - width + 8} -9)` },
      svg("rect", { width, height: 17, rx: 8.5 }),
      svg("use", { href: `#sign-${SIGNS[FAILED]}`, x: 3, y: 2, width: 13, height: 13 }),
      text,
    ),
  ];
}

function sign(x, y) {
  const use = svg("use", { class: "sign", width: SIGN, height: SIGN });
  // With x and y, browsers turn it about another centre than its own.
  use.style.translate = `${x}px ${y}px`;
  return use;
}

export class BoxShape {
  constructor(box, area, ruler) {
    this.part = box;
    this.element = svg("a", { tabindex: -1 });
    this.element.shown = box;
    this.resize(area, ruler);
    this.refresh();
  }

  resize(area, ruler) {
    const { part, element } = this;
    const key = `${area.w} ${area.h} ${textOf(part)}`;
    if (key !== this.key) {
      this.key = key;
      element.replaceChildren(...(part.kind === "junction" ? this.dot(area) : this.inner(area, ruler)));
    }
    element.setAttribute("transform", `translate(${area.x} ${area.y})`);
  }

  dot({ w, h }) {
    return [svg("circle", { class: "dot", cx: w / 2, cy: h / 2, r: w / 2 - 1 })];
  }

  inner({ w, h }, ruler) {
    const { part } = this;
    const round = part.kind === "gate" || part.kind === "item" ? h / 2 : 7;
    const face = svg("rect", { class: "face", width: w, height: h, rx: round });
    this.sign = sign(10, (h - SIGN) / 2);
    this.update = svg("use", { class: "update", x: w - 12, y: -5, width: SIGN, height: SIGN });
    const text = svg("text", { x: BOX.left, y: h / 2 });
    text.textContent = ruler.cut(textOf(part), w - BOX.left - BOX.right + 1);
    this.inside = svg("g", {});
    this.hold = svg("use", { class: "hold", x: -5, y: -5, width: SIGN, height: SIGN });
    this.corner = w;
    return [face, this.sign, text, this.update, this.inside, this.hold];
  }

  refresh() {
    const { part, element } = this;
    if (part.kind === "junction") {
      element.setAttribute("class", "box k-junction");
      return;
    }
    const name = part.rank < 0 ? "blocked" : SIGNS[part.rank];
    element.setAttribute("class", `box k-${part.kind.replaceAll(" ", "-")} s-${name}`);
    this.sign.setAttribute("href", `#sign-${name}`);
    if (part.update >= 0) {
      this.update.setAttribute("href", `#sign-${SIGNS[part.update]}`);
      this.update.setAttribute("class", `update s-${SIGNS[part.update]}`);
    } else {
      this.update.removeAttribute("href");
    }
    if (part.hold === null) this.hold.removeAttribute("href");
    else this.hold.setAttribute("href", `#sign-${part.hold}`);
    this.inside.replaceChildren(...(part.failedInside > 0 ? insideMark(part, this.corner) : []));
    element.setAttribute("aria-label", sayBox(part));
    const link = linkOf(part);
    if (link === null) {
      element.removeAttribute("href");
      element.setAttribute("role", part.kind === "fold" ? "button" : "img");
    } else {
      element.setAttribute("href", link);
      element.removeAttribute("role");
    }
  }
}

/** The address that a click on a box leads to: its job, or else its stage. */
export function linkOf(box) {
  if (box.jobId === null) return box.stage === null ? null : `/stage?path=${encodeURIComponent(box.stage)}`;
  return `/job/${box.jobId.split("/").map(encodeURIComponent).join("/")}`;
}

export class ClosedShape {
  constructor(container, area, ruler) {
    this.part = container;
    this.element = svg("g", { tabindex: -1, role: "button", "aria-expanded": "false" });
    this.element.shown = container;
    this.resize(area, ruler);
    this.refresh();
  }

  resize(area, ruler) {
    const { part, element } = this;
    const key = `${area.w} ${area.h} ${part.title}`;
    if (key !== this.key) {
      this.key = key;
      element.replaceChildren(...this.inner(area, ruler));
      this.counted = "";
      this.refresh();
    }
    element.setAttribute("transform", `translate(${area.x} ${area.y})`);
  }

  inner({ w, h }, ruler) {
    const back = svg("rect", { class: "back", x: 4, y: 4, width: w - 4, height: h - 2, rx: 8 });
    const face = svg("rect", { class: "face", width: w - 3, height: h - 3, rx: 8 });
    this.sign = sign(10, 9);
    const text = svg("text", { x: BOX.left, y: 17 });
    this.number = svg("text", { class: "number", x: w - 14, y: 17, "text-anchor": "end" });
    text.textContent = ruler.cut(this.part.title, w - BOX.left - 52);
    this.bar = svg("g", { class: "bar", transform: "translate(11 32)" });
    this.width = w - 25;
    this.mosaic = mosaicOf(this.part);
    this.squares = svg("g", { class: "mosaic" });
    return [back, face, this.sign, text, this.number, this.bar, this.squares];
  }

  /** The part of the container whose square is under a pointer. */
  partUnder({ clientX, clientY }) {
    if (this.mosaic === null) return undefined;
    const point = new DOMPoint(clientX, clientY).matrixTransform(this.element.getScreenCTM().inverse());
    return partAt(this.part, this.mosaic, point);
  }

  refresh() {
    const { part, element } = this;
    const counted = part.counts.join(" ");
    if (counted === this.counted) return;
    this.counted = counted;
    const name = SIGNS[rankOfContainer(part)];
    element.setAttribute("class", `closed k-${part.kind} s-${name}`);
    element.setAttribute("aria-label", sayContainer(part));
    this.sign.setAttribute("href", `#sign-${name}`);
    this.number.textContent = grouped(part.total);
    this.bar.replaceChildren(...segments(part.counts, this.width, 7));
    if (this.mosaic !== null) this.squares.replaceChildren(...squares(part, this.mosaic));
  }
}

export class FrameShape {
  constructor(container, area, ruler) {
    this.part = container;
    this.face = svg("rect", { class: "face", rx: 10 });
    this.head = svg("g", { class: "head", tabindex: -1, role: "button", "aria-expanded": "true" });
    this.head.shown = container;
    const page = container.kind === "item" ? itemLink(boxesIn(container)) : null;
    /** It leads to the page of the item; keys have their own way there. */
    this.link = page === null ? null : svg("a", { class: "to-item", href: page, tabindex: -1 });
    this.element = svg("g", {}, this.face, this.head, ...(page === null ? [] : [this.link]));
    this.link?.setAttribute("aria-label", `The page of ${container.title}`);
    this.link?.append(
      svg("rect", { class: "grip", width: LINK, height: 25, rx: 6 }),
      svg("path", { class: "chevron", d: "M8 17l8-8M9.5 9H16v6.5" }),
    );
    this.resize(area, ruler);
    this.refresh();
  }

  resize(area, ruler) {
    const { part, element, head } = this;
    const key = `${area.w} ${area.h} ${part.title}`;
    if (key !== this.key) {
      this.key = key;
      this.face.setAttribute("width", area.w);
      this.face.setAttribute("height", area.h);
      this.sign = sign(28, 8);
      const text = svg("text", { x: 49, y: 15.5 });
      const room = this.link === null ? 0 : LINK;
      text.textContent = ruler.cut(part.title, area.w - 66 - room);
      this.link?.setAttribute("transform", `translate(${area.w - 4 - LINK} 3)`);
      head.replaceChildren(
        svg("rect", { class: "grip", x: 4, y: 3, width: area.w - 8 - room, height: 25, rx: 6 }),
        svg("path", { class: "chevron", d: "M12 13l4.5 4.5 4.5-4.5" }),
        this.sign,
        text,
      );
    }
    element.setAttribute("transform", `translate(${area.x} ${area.y})`);
    this.refresh();
  }

  refresh() {
    const { part } = this;
    const name = SIGNS[rankOfContainer(part)];
    this.element.setAttribute("class", `frame k-${part.kind} s-${name}`);
    this.head.setAttribute("aria-label", sayContainer(part));
    this.sign.setAttribute("href", `#sign-${name}`);
  }
}

/** The line of an edge. */
export function lineOf({ edge, points }) {
  const line = svg("path", { class: edge.control ? "line control" : "line", d: curve(points) });
  return line;
}

