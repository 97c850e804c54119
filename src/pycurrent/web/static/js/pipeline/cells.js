// The rows of tables as elements, and what changes in them.

import { element } from "../dom.js";
import { grouped } from "../numbers.js";
import { culprits } from "./card.js";
import { itemLink } from "./containers.js";
import { concern } from "./order.js";
import { textOf } from "./scene.js";
import { brief, signOfTrend, wordsOf } from "./paces.js";
import { linkOf } from "./shapes.js";
import { BLOCKED, FAILED, SIGNS, STATES, WORDS, barOf, inWords, signOf, signOfHold, stateOf } from "./states.js";

const INDENT = 18;

export class Cells {
  /** `paces` knows how long the last runs of stages took. */
  constructor(paces) {
    this.paces = paces;
    /** For each box that is shown, the function that paints it again. */
    this.painters = new Map();
  }

  /** The row of an item. A closed row sums up those below it. */
  row(row, { columns, isNested }, isOpen) {
    const place = element("div", { class: "matrix-row", role: "row" });
    place.row = row;
    const head = element("div", { class: "matrix-name", role: "rowheader" });
    head.style.paddingLeft = `${10 + row.depth * INDENT}px`;
    const mark = element("span", { class: "mark" });
    if (row.rows.length > 0) head.append(toggleOf(row, isOpen));
    else if (isNested) head.append(element("span", { class: "no-toggle" }));
    head.append(mark);
    const page = itemLink(row.all());
    const name = { class: "label", title: row.label };
    head.append(page === null ? element("span", name, row.label) : element("a", { ...name, href: page }, row.label));
    place.append(head);
    const below = isOpen ? new Map() : byColumn(row, columns);
    for (const { key } of columns) {
      const boxes = below.get(key) ?? row.cells.get(key) ?? [];
      place.append(this.cell(row, boxes));
    }
    const everything = isOpen ? row.boxes : [...row.all()];
    this.paint(row, everything, () => {
      const worst = concern(everything);
      mark.replaceChildren(...(worst < STATES.length ? [signOf(worst)] : []));
      place.dataset.state = SIGNS[worst] ?? "";
    });
    return place;
  }

  cell(row, boxes) {
    const cell = element("div", { class: "matrix-cell", role: "cell" });
    if (boxes.length === 1) this.paint(row, boxes, () => one(cell, boxes[0], this.paces.of(boxes[0])));
    else if (boxes.length > 1) this.paint(row, boxes, () => many(cell, boxes));
    return cell;
  }

  /** The row of a stage by itself. */
  stage(row) {
    const [box] = row.boxes;
    const place = element("div", { class: "matrix-row", role: "row" });
    place.row = row;
    const head = element("div", { class: "matrix-name", role: "rowheader" });
    const state = element("div", { class: "matrix-cell state-cell", role: "cell" });
    const why = element("div", { class: "matrix-cell why-cell", role: "cell" });
    place.append(head, state, why);
    this.paint(row, [box], () => {
      place.dataset.state = SIGNS[box.concern] ?? "";
      const name = nameOf(box);
      if (head.firstChild?.outerHTML !== name.outerHTML) head.replaceChildren(name);
      state.replaceChildren(...(box.rank < 0 ? [] : [stateOf(box.rank)]));
      if (box.update >= 0) state.append(updateOf(box));
      if (box.failedInside > 0) state.append(insideOf(box));
      const pace = this.paces.of(box);
      if (pace !== null) state.append(paceOf(pace));
      state.title = pace === null ? "" : wordsOf(pace);
      why.textContent = whyOf(box);
      why.title = box.why ?? "";
    });
    return place;
  }

  /** Paint a part now, and whenever one of these boxes has changed. */
  paint(row, boxes, painter) {
    painter();
    for (const box of boxes) {
      const painters = this.painters.get(box);
      if (painters === undefined) this.painters.set(box, [{ row, painter }]);
      else painters.push({ row, painter });
    }
  }

  forget(row) {
    for (const box of row.all()) {
      const left = (this.painters.get(box) ?? []).filter((one) => one.row !== row);
      if (left.length > 0) this.painters.set(box, left);
      else this.painters.delete(box);
    }
  }

  patch(boxes) {
    const due = new Set();
    for (const box of boxes) for (const { painter } of this.painters.get(box) ?? []) due.add(painter);
    for (const painter of due) painter();
  }
}

function toggleOf(row, isOpen) {
  return element(
    "button",
    {
      type: "button",
      class: "toggle",
      "data-toggle": true,
      "aria-expanded": isOpen ? "true" : "false",
      "aria-label": `${row.rows.length} rows below ${row.label}`,
    },
  );
}

/** All stages of a row and those below it, by column. */
function byColumn(row, columns) {
  const found = new Map(columns.map(({ key }) => [key, []]));
  const open = [row];
  while (open.length > 0) {
    const here = open.pop();
    for (const [key, boxes] of here.cells) found.get(key)?.push(...boxes);
    open.push(...here.rows);
  }
  return found;
}

/** A cell with one stage: kept as long as the stage is, so that a click does not miss it. */
function one(cell, box, pace) {
  let inner = cell.firstChild;
  const tag = box.kind === "fold" || box.kind === "list" ? "BUTTON" : linkOf(box) === null ? "SPAN" : "A";
  if (inner?.nodeName !== tag) {
    inner = document.createElement(tag);
    inner.dataset.box = "";
    inner.shown = box;
    if (tag === "BUTTON") inner.dataset.unfold = "";
    cell.replaceChildren(inner);
  }
  if (tag === "A") inner.href = linkOf(box);
  const rank = Math.max(0, box.rank);
  inner.className = `chip s-${SIGNS[rank]}`;
  const update = box.update < 0 ? "" : `, update ${WORDS[box.update]}`;
  const inside = box.failedInside > 0 ? `, ${box.insideInWords}` : "";
  const hold = box.hold === null ? "" : `, ${box.hold}`;
  const took = pace === null ? "" : `, ${wordsOf(pace)}`;
  inner.setAttribute("aria-label", `${textOf(box)}: ${WORDS[rank]}${update}${inside}${hold}${took}`);
  inner.title = pace === null ? "" : wordsOf(pace);
  if (tag === "SPAN") inner.setAttribute("role", "img");
  inner.replaceChildren(signOf(rank), ...(box.update < 0 ? [] : [updateOf(box)]), ...(box.hold === null ? [] : [signOfHold(box.hold)]));
  if (box.failedInside > 0) inner.append(insideOf(box));
  if (pace !== null) inner.append(paceOf(pace));
}

/** How long a run took, with a sign where that is more or less than usual. The words are in a title. */
function paceOf({ took, trend }) {
  const place = element("span", { class: "pace number", "aria-hidden": "true" }, brief(took));
  const sign = signOfTrend(trend);
  if (sign !== "") place.append(" ", element("span", { class: `pace-trend is-${trend}` }, sign));
  return place;
}

function updateOf(box) {
  const sign = signOf(box.update);
  sign.classList.add("updating");
  return sign;
}

/** The mark of a fold in which something has failed. */
function insideOf(box) {
  const number = element("span", { class: "number", "aria-hidden": "true" }, grouped(box.failedInside));
  return element("span", { class: "failed-inside s-failed", role: "img", "aria-label": box.insideInWords, title: box.insideInWords }, signOf(FAILED), number);
}

/** A cell that sums up several stages. */
function many(cell, boxes) {
  const counts = STATES.map(() => 0);
  for (const { concern: rank } of boxes) if (rank >= 0) counts[rank] += 1;
  cell.replaceChildren(element("span", { class: "summed", title: inWords(counts) }, barOf(counts)));
}

function nameOf(box) {
  const link = linkOf(box);
  const text = textOf(box);
  if (box.kind === "fold" || box.kind === "list") {
    const button = element("button", { class: "small", type: "button", "data-unfold": true }, `+ ${text}`);
    button.shown = box;
    return button;
  }
  return link === null ? element("span", { class: "label", title: text }, text) : element("a", { class: "label", href: link, title: text }, text);
}

function whyOf(box) {
  if (box.why !== null) return box.why.split("\n", 1)[0];
  if (box.rank !== BLOCKED) return box.note ?? "";
  const found = culprits(box);
  if (found.length === 0) return "";
  const more = found.length > 1 ? ` and ${found.length - 1} more` : "";
  return `after ${textOf(found[0])} (${WORDS[found[0].rank]})${more}`;
}
