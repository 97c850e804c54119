// The lines of a log of which groups are folded. The view sees rows: a row for each line that is
// shown, counted from 0. A folded group shows its heading only.

import { get, jobPath } from "../api.js";

const AGAIN = 1000; // milliseconds between two requests for groups of a log that grows

/**
 * Tells by events: `lines`, as the lines do; `folding` when other lines are about to be hidden, and
 * `folds` when they are.
 */
export class Folds extends EventTarget {
  constructor(lines) {
    super();
    this.lines = lines;
    this.groups = new Map(); // the number of a heading: its group
    this.levels = new Map(); // the number of a line that is an annotation: its level
    this.folded = new Set(); // headings
    this.hidden = []; // [first, end, lines hidden before], in order
    this.changes = 0; // of the markers that are known
    this.asks = false;
    lines.addEventListener("lines", () => {
      this.dispatchEvent(new Event("lines"));
      if (this.changes < this.lines.markers) this.ask();
    });
  }

  /** Fetch the groups; those that have ended by now are folded at first. */
  async fetch() {
    const isFirst = this.changes === 0;
    const { groups, lines, changes } = await get(jobPath(this.lines.job, "/log/markers"));
    this.changes = changes;
    for (const { number, level } of lines) this.levels.set(number, level);
    for (const group of groups) {
      const isNew = !this.groups.has(group.first);
      this.groups.set(group.first, group);
      if (isNew && group.collapsed && group.end !== null && isFirst) this.folded.add(group.first);
    }
    this.hide();
  }

  /** Fetch them, not too often; after a failure again with the next lines. */
  async ask() {
    if (this.asks) return;
    this.asks = true;
    let isKnown = false;
    try {
      await this.fetch();
      isKnown = true;
    } catch {
      // Lines are shown without.
    }
    setTimeout(() => {
      this.asks = false;
      if (isKnown && this.changes < this.lines.markers) this.ask();
    }, AGAIN);
  }

  /** The hidden lines, by the groups that are folded; an inner one is hidden with its outer one. */
  hide() {
    this.dispatchEvent(new Event("folding"));
    this.hidden = [];
    let before = 0;
    let reached = 0;
    for (const first of [...this.folded].sort((one, other) => one - other)) {
      const end = this.groups.get(first).end ?? Infinity;
      const begin = Math.max(first + 1, reached);
      if (end <= begin) continue;
      this.hidden.push([begin, end, before]);
      before += end - begin;
      reached = end;
    }
    this.dispatchEvent(new Event("folds"));
  }

  toggle(first) {
    if (!this.folded.delete(first)) this.folded.add(first);
    this.hide();
  }

  /** Open the groups in which a line is hidden. */
  open(line) {
    let isChanged = false;
    for (const first of this.folded) {
      const { end } = this.groups.get(first);
      if (first < line && (end === null || line < end)) isChanged = this.folded.delete(first);
    }
    if (isChanged) this.hide();
  }

  // For the view

  get total() {
    return this.row(this.lines.total);
  }

  line(row) {
    return this.lines.line(this.number(row));
  }

  want(first, end) {
    // Between two rows many lines may be hidden, which are not fetched.
    let begin = Math.max(0, first);
    while (begin < Math.min(end, this.total)) {
      const number = this.number(begin);
      const next = this.hidden.find(([hides]) => hides > number);
      const until = next === undefined ? end : Math.min(end, this.row(next[0]));
      this.lines.want(number, number + Math.max(1, until - begin));
      begin = Math.max(begin + 1, until);
    }
  }

  /** The row of a line; of one that is hidden the row behind its heading. */
  row(line) {
    const at = this.before((hidden) => hidden[0] < line);
    if (at === null) return line;
    const [first, end, before] = at;
    return Math.min(line, first) - before + Math.max(0, line - Math.max(end, first));
  }

  /** The line in a row. */
  number(row) {
    const at = this.before(([first, , before]) => first - before <= row);
    if (at === null) return row;
    const [first, end, before] = at;
    return end + (row - (first - before));
  }

  /** The last part that is hidden of which something is true, as it is of those before it. */
  before(isTrue) {
    let [low, high] = [0, this.hidden.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isTrue(this.hidden[middle])) low = middle + 1;
      else high = middle;
    }
    return low > 0 ? this.hidden[low - 1] : null;
  }
}
