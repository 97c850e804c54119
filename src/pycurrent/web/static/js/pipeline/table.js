// The tables of the pipeline. Only the rows that are in view are in the page.

import { element } from "../dom.js";
import { grouped } from "../numbers.js";
import { Cells } from "./cells.js";
import { sectionsOf } from "./matrix.js";
import { Paces } from "./paces.js";
import { Ruler } from "./scene.js";
import { listed } from "./order.js";

const ROW = 34; // pixels, as in the style sheet
const AHEAD = 10; // rows that are there before they come into view
const FEW = 80; // rows: so many are shown with all that is below them
const SORT_AGAIN = 1200; // milliseconds
const COLUMN = { least: 92, most: 168, around: 34 };
const FIRST = { least: 170, most: 360, around: 74 };

export class Table {
  /** `page` has: sort, rowsToggled, isFiltering, matches(box), changed(), unfold(box), card. */
  constructor(page) {
    this.page = page;
    this.ruler = new Ruler(`14px ${getComputedStyle(document.body).fontFamily}`);
    this.paces = new Paces((boxes) => this.cells.patch(boxes));
    this.cells = new Cells(this.paces);
    this.sections = [];
    this.element = element("div", { class: "matrix", tabindex: 0, role: "region", "aria-label": "Tables of stages" });
    this.element.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.element.addEventListener("click", (event) => this.click(event));
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("pointerleave", () => this.sortAgain());
    this.hover();
    new ResizeObserver(() => this.fill()).observe(this.element);
  }

  draw(tree) {
    this.tree = tree;
    const { scrollTop, scrollLeft } = this.element;
    const focused = this.focused();
    this.cells = new Cells(this.paces);
    this.page.card.hide();
    this.sections = sectionsOf(tree).map((section) => this.make(section));
    this.element.replaceChildren(...this.sections.map(({ place }) => place));
    this.list();
    this.element.scrollTo(scrollLeft, scrollTop);
    this.fill();
    if (focused !== null) this.focus(focused);
  }

  /** Where somebody is: the row and the number of the cell; null: not in a row. */
  focused() {
    const cell = document.activeElement?.closest('.matrix-row > *');
    if (!cell || !this.element.contains(cell)) return null;
    const place = cell.parentElement;
    return { id: place.row.id, column: [...place.children].indexOf(cell) };
  }

  focus({ id, column }) {
    for (const made of this.sections) {
      const row = made.lines.find((line) => line.id === id);
      made.shown.get(row)?.children[column]?.querySelector("a, button")?.focus({ preventScroll: true });
    }
  }

  /** The elements of a section: its title, the names of its columns, and room for its rows. */
  make(section) {
    const head = element("div", { class: "matrix-head", role: "row" });
    const body = element("div", { class: "matrix-body", role: "rowgroup" });
    const number = element("span", { class: "muted number" });
    const title = element("h2", {}, section.title, " ", number);
    const table = element("div", { class: "matrix-table", role: "table", "aria-label": section.title },
      element("div", { role: "rowgroup", class: "matrix-heads" }, head), body);
    const place = element("section", { class: "matrix-section" }, title, table);
    const few = section.count <= FEW;
    const made = { section, head, body, number, place, table, few, lines: [], shown: new Map() };
    this.measure(made);
    this.names(made);
    return made;
  }

  measure(made) {
    const { section, table } = made;
    const width = (text, { least, most, around }) =>
      Math.round(Math.min(most, Math.max(least, this.ruler.width(text) + around)));
    const labels = [];
    const open = [...section.rows];
    while (open.length > 0) {
      const row = open.pop();
      labels.push(row.label);
      open.push(...row.rows);
    }
    const longest = labels.reduce((one, other) => (other.length > one.length ? other : one), "");
    const first = width(longest, FIRST);
    const rest = section.list === null ? "130px minmax(16rem, 1fr)" : section.columns.map(({ title }) => `${width(title, COLUMN)}px`).join(" ");
    table.style.setProperty("--columns", `${first}px ${rest}`);
  }

  /** The heads of the columns: buttons that sort. */
  names({ section, head }) {
    const name = (title, sort) => {
      const button = element("button", { type: "button", "data-sort": sort, title }, element("span", {}, title));
      return element("div", { role: "columnheader" }, button);
    };
    const columns = section.list === null
      ? [name("State", "state"), element("div", { role: "columnheader" }, element("span", { class: "plain" }, "Why"))]
      : section.columns.map(({ key, title }) => name(title, key));
    head.replaceChildren(name(section.list === null ? "Stage" : "Item", "name"), ...columns);
  }

  // Rows

  isOpen(made, row) {
    return (made.few || this.page.isFiltering) !== this.page.rowsToggled.has(row.id);
  }

  keep(row) {
    if (!this.page.isFiltering) return true;
    for (const box of row.all()) if (this.page.matches(box, { row: row.label })) return true;
    return false;
  }

  /** Determine the rows to show. */
  list() {
    const { sort } = this.page;
    for (const made of this.sections) {
      made.lines = listed(made.section, {
        sort,
        keep: (row) => this.keep(row),
        isOpen: (row) => this.isOpen(made, row),
      });
      made.place.hidden = made.lines.length === 0;
      made.number.textContent = grouped(made.section.count);
      made.body.style.height = `${made.lines.length * ROW}px`;
      made.table.setAttribute("aria-rowcount", made.lines.length + 1);
      for (const button of made.head.querySelectorAll("[data-sort]")) showSort(button, sort);
    }
    this.fill({ anew: true });
  }

  filter() {
    this.list();
  }

  scrolled() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.fill());
  }

  /** Put the rows into the page that are in view. */
  fill({ anew = false } = {}) {
    if (this.element.clientHeight === 0) return;
    const { top, height } = this.element.getBoundingClientRect();
    const tops = this.sections.map(({ body, place }) => (place.hidden ? 0 : body.getBoundingClientRect().top));
    this.sections.forEach((made, index) => {
      const from = Math.floor((top - tops[index]) / ROW) - AHEAD;
      const to = from + Math.ceil(height / ROW) + 2 * AHEAD;
      this.fillSection(made, Math.max(0, from), Math.min(made.lines.length, to), anew);
    });
  }

  fillSection(made, from, to, anew) {
    const { lines, shown, body } = made;
    const wanted = new Set(lines.slice(from, Math.max(from, to)));
    for (const [row, place] of shown) {
      if (wanted.has(row) && !anew) continue;
      if (wanted.has(row) && place.isOpen === this.isOpen(made, row)) continue;
      this.cells.forget(row);
      place.remove();
      shown.delete(row);
    }
    const isStages = made.section.list === null;
    for (let index = from; index < to; index += 1) {
      const row = lines[index];
      let place = shown.get(row);
      if (place === undefined) {
        const isOpen = this.isOpen(made, row);
        place = isStages ? this.cells.stage(row) : this.cells.row(row, made.section, isOpen);
        place.isOpen = isOpen;
        place.made = made;
        shown.set(row, place);
        body.append(place);
      }
      place.style.top = `${index * ROW}px`;
      place.setAttribute("aria-rowindex", index + 2);
    }
  }

  // Changes

  patch(boxes) {
    this.cells.patch(boxes);
    this.isStale = true;
    clearTimeout(this.sorting);
    this.sorting = setTimeout(() => this.sortAgain(), SORT_AGAIN);
  }

  /** Rows don't move away from under a pointer, or from where somebody is. */
  sortAgain() {
    const { element: place } = this;
    if (!this.isStale || place.matches(":hover") || place.contains(document.activeElement)) return;
    this.isStale = false;
    if (this.tree !== undefined) this.list();
  }

  // Input of the reader

  click(event) {
    const sort = event.target.closest("[data-sort]");
    const toggle = event.target.closest("[data-toggle]");
    const unfold = event.target.closest("[data-unfold]");
    if (sort !== null) this.sort(sort.dataset.sort);
    else if (toggle !== null) this.toggle(toggle.closest(".matrix-row"));
    else if (unfold !== null) this.page.unfold(unfold.shown);
  }

  sort(by) {
    const { page } = this;
    page.sort = page.sort === by ? `-${by}` : page.sort === `-${by}` ? "state" : by;
    this.isStale = false;
    this.list();
    page.changed();
  }

  toggle(place) {
    const { row, made } = place;
    if (!this.page.rowsToggled.delete(row.id)) this.page.rowsToggled.add(row.id);
    this.list();
    made.shown.get(row)?.querySelector("[data-toggle]")?.focus();
    this.page.changed();
  }

  key(event) {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const step = steps[event.key];
    const cell = event.target.closest('[role="cell"], [role="rowheader"]');
    if (step === undefined || cell === null) return;
    const place = cell.parentElement;
    const column = [...place.children].indexOf(cell) + step[1];
    const { lines, shown } = place.made;
    const line = lines[lines.indexOf(place.row) + step[0]];
    const next = shown.get(line)?.children[column]?.querySelector("a, button");
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  hover() {
    const look = (event, soon) => {
      const cell = event.target.closest("[data-box]");
      if (cell === null) this.page.card.hide();
      else this.page.card.show(cell.shown, cell, { soon });
    };
    this.element.addEventListener("pointerover", (event) => event.pointerType !== "touch" && look(event, false));
    this.element.addEventListener("pointerleave", () => this.page.card.hide());
    this.element.addEventListener("focusin", (event) => look(event, true));
    this.element.addEventListener("focusout", () => this.page.card.hide());
  }

  /** Bring the row of a box into view. */
  reveal(box) {
    for (const made of this.sections) {
      const index = made.lines.findIndex((row) => [...row.all()].includes(box));
      if (index < 0) continue;
      const top = made.body.offsetTop + index * ROW;
      this.element.scrollTop = top - this.element.clientHeight / 2;
      this.fill();
      const place = made.shown.get(made.lines[index]);
      const cell = [...(place?.querySelectorAll("[data-box]") ?? [])].find(({ shown }) => shown === box);
      const found = cell?.matches("a, button") ? cell : place?.querySelector("a, button");
      found?.focus({ preventScroll: true });
      return;
    }
  }
}

function showSort(button, sort) {
  const by = button.dataset.sort;
  const how = sort === by ? "ascending" : sort === `-${by}` ? "descending" : null;
  const head = button.parentElement;
  if (how === null) head.removeAttribute("aria-sort");
  else head.setAttribute("aria-sort", how);
}

