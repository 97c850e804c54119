// Shows lines of a log of any length: only those in view are in the page.
//
// An *anchor* holds the view: a line, and how far its top is below the top of the view. The browser
// scrolls an empty space of about the height that all lines would have. If that moves a little, the
// anchor moves by as many pixels, so that lines of different heights scroll smoothly. If it moves far
// (the scroll bar was dragged), the line at a fraction of the log moves to that fraction of the view,
// which brings the first line to the top and the last one to the bottom. Once scrolling rests, or
// reaches an edge of that space, the scroll bar moves to where the anchor is.

const HIGHEST = 15_000_000; // pixels: what browsers can scroll (Firefox ends at 17.8 million)
const BEYOND = 10; // rows above and below the view
const AHEAD = 200; // lines that are fetched before they are needed
const REST = 150; // milliseconds

export class View extends EventTarget {
  /** `fill(row, number, content)` draws a line; `content` is undefined if it is not here yet. */
  constructor(scroller, lines, fill) {
    super();
    this.lines = lines;
    this.fill = fill;
    this.scroller = scroller;
    this.rows = document.createElement("div");
    this.rows.className = "log-rows";
    this.pane = document.createElement("div");
    this.pane.className = "log-pane";
    this.space = document.createElement("div");
    this.space.className = "log-space";
    this.pane.append(this.rows);
    this.space.append(this.pane);
    scroller.replaceChildren(this.space);
    this.shown = new Map(); // number: its row
    this.anchor = { line: 0, y: 0 };
    this.following = false;
    this.scrolled = 0;
    this.scrolledHeight = 0; // when that was
    this.measured = { rows: 0, height: 0 };
    this.offset = 0;
    this.frame = 0;
    this.rest = 0;
    scroller.addEventListener("scroll", () => this.onScroll(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(scroller);
    lines.addEventListener("lines", () => this.request());
  }

  // Going somewhere

  /** Go to the end, and stay there as the log grows. */
  goToEnd() {
    this.follow(true);
    this.draw();
    this.settle();
  }

  /** Bring a line into view: its top to `fraction` of the height, unless it is in view already. */
  goTo(line, fraction = 0.3) {
    const number = Math.max(0, Math.min(line, this.lines.total - 1));
    this.follow(false);
    const row = this.shown.get(number);
    if (!row || !this.isInView(row)) {
      this.anchor = { line: number, y: Math.round(this.height * fraction) };
    }
    this.draw();
    this.settle();
  }

  isInView(row) {
    const top = row.offsetTop + this.offset;
    return top >= 0 && top + Math.min(row.offsetHeight, this.height) <= this.height;
  }

  follow(following) {
    if (this.following === following) return;
    this.following = following;
    this.dispatchEvent(new Event("follow"));
  }

  // Scrolling

  onScroll() {
    const top = this.scroller.scrollTop;
    const moved = top - this.scrolled;
    this.scrolled = top;
    const { range, height } = this;
    const resized = height !== this.scrolledHeight;
    this.scrolledHeight = height;
    if (resized && this.following) {
      // A window that has grown moves the end of the log: nobody has scrolled.
      this.settle();
      return;
    }
    if (Math.abs(moved) < 1) return;
    const isEdge = top <= 0 || top >= range - 1;
    if (Math.abs(moved) <= 3 * height) this.anchor.y -= moved;
    else if (!isEdge) this.anchor = this.anchorAt(top / range);
    else this.anchor = top <= 0 ? { line: 0, y: 0 } : { line: this.lines.total, y: height };
    if (moved < 0) this.follow(false);
    this.draw();
    this.follow(this.isAtEnd);
    clearTimeout(this.rest);
    // The space is only about as high as the lines: if it ends before they do, it grows at once.
    if (isEdge) this.settle();
    else this.rest = setTimeout(() => this.onRest(), REST);
  }

  onRest() {
    // The browser tells of a scroll with the next frame only: to settle before that would undo it.
    if (Math.abs(this.scroller.scrollTop - this.scrolled) >= 1) this.onScroll();
    else this.settle();
  }

  get isAtEnd() {
    const last = this.shown.get(this.lines.total - 1);
    return last !== undefined && last.offsetTop + last.offsetHeight + this.offset <= this.height + 1;
  }

  anchorAt(fraction) {
    const place = fraction * this.lines.total;
    const line = Math.floor(place);
    return { line, y: fraction * this.height - (place - line) * this.lineHeight };
  }

  /** Put the scroll bar to where the view is. */
  settle() {
    this.resize();
    const { total } = this.lines;
    const [first, last] = this.edges();
    const inView = last - first;
    const fraction = total > inView ? Math.min(1, Math.max(0, first / (total - inView))) : 0;
    this.scroller.scrollTop = this.following ? this.range : fraction * this.range;
    this.scrolled = this.scroller.scrollTop;
  }

  /** Where the view begins and ends: numbers of lines, with fractions. */
  edges() {
    const at = (y) => {
      for (const [number, row] of this.shown) {
        const top = row.offsetTop + this.offset;
        if (top + row.offsetHeight > y) return number + (y - top) / row.offsetHeight;
      }
      return this.lines.total;
    };
    return [at(0), at(this.height)];
  }

  get range() {
    return this.scroller.scrollHeight - this.scroller.clientHeight;
  }

  get height() {
    return this.scroller.clientHeight;
  }

  resize() {
    const { total } = this.lines;
    const known = this.shown.size === total;
    const average = this.measured.rows ? this.measured.height / this.measured.rows : 0;
    const height = known ? this.rows.offsetHeight : Math.max(average, this.lineHeight) * total;
    this.space.style.height = `${Math.min(HIGHEST, Math.ceil(height))}px`;
    this.pane.style.height = `${this.height}px`;
  }

  // Drawing

  /** Draw with the next frame. */
  request() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.draw();
      if (this.following) this.settle();
      else this.resize();
    });
  }

  /** Draw all rows again: something besides their lines has changed. */
  redraw() {
    for (const row of this.shown.values()) row.drawn = null;
    this.measured = { rows: 0, height: 0 };
    this.draw();
    this.settle();
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.lineHeight = parseFloat(getComputedStyle(this.rows).lineHeight);
    const { total } = this.lines;
    if (this.following) this.anchor = { line: total, y: this.height };
    if (this.anchor.line >= total && total > 0) {
      this.anchor = { line: total - 1, y: this.anchor.y - this.lineHeight };
    }
    const [first, end] = this.reach(total);
    this.lines.want(first - AHEAD, end + AHEAD);
    this.place(first, end);
    this.align(first, end, total);
  }

  /** The lines that may be in view. None is lower than a line of text. */
  reach(total) {
    const { line, y } = this.anchor;
    const above = Math.ceil(Math.max(0, y) / this.lineHeight) + BEYOND;
    const below = Math.ceil((this.height - y) / this.lineHeight) + BEYOND;
    // Near an end of the log the rows are moved to that end, and more of the others are seen.
    const room = Math.ceil(this.height / this.lineHeight) + BEYOND;
    const first = Math.max(0, Math.min(line - above, total - room));
    return [first, Math.min(total, Math.max(line + below, room))];
  }

  place(first, end) {
    for (const [number, row] of this.shown) {
      if (number >= first && number < end) continue;
      row.remove();
      this.shown.delete(number);
    }
    const fresh = [];
    const ordered = new Map();
    let before = null;
    for (let number = first; number < end; number += 1) {
      let row = this.shown.get(number);
      if (row === undefined) {
        row = document.createElement("div");
        row.className = "log-line";
        row.drawn = null;
        if (before === null) this.rows.prepend(row);
        else before.after(row);
      }
      const content = this.lines.line(number);
      if (row.drawn !== content) {
        this.fill(row, number, content);
        row.drawn = content;
        if (content) fresh.push(row);
      }
      ordered.set(number, row);
      before = row;
    }
    this.shown = ordered;
    for (const row of fresh) {
      this.measured.rows += 1;
      this.measured.height += row.offsetHeight;
    }
  }

  /** Move the rows to where the anchor says, and no end of the log away from its edge. */
  align(first, end, total) {
    const row = this.shown.get(this.anchor.line);
    if (row === undefined) return;
    const { height } = this;
    const all = this.rows.offsetHeight;
    let offset = this.anchor.y - row.offsetTop;
    if (end === total && offset + all < height) offset = height - all;
    if (first === 0 && offset > 0) offset = 0;
    this.offset = offset;
    this.rows.style.transform = `translateY(${offset}px)`;
    for (const [number, shown] of this.shown) {
      const top = shown.offsetTop + offset;
      if (top + shown.offsetHeight > 0) {
        this.anchor = { line: number, y: top };
        return;
      }
    }
  }
}
