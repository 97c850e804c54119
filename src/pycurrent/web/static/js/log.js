// The log of a job: `<section data-log data-job="ID" data-active="true|false" data-started="TIME">`
// with the last lines in a `<pre>`, in whose place comes a view of all of it.

import { button, element } from "./dom.js";
import { address, jobPath } from "./api.js";
import { Folds } from "./log/folds.js";
import { Lines, RETRY } from "./log/lines.js";
import { Marks } from "./log/marks.js";
import { rowDrawer } from "./log/rows.js";
import { Search, firstError } from "./log/search.js";
import { Settings } from "./log/settings.js";
import { STYLES } from "./log/times.js";
import { View } from "./log/view.js";
import { grouped } from "./numbers.js";

/** Take over a section. Resolves once the first lines are shown. */
export async function openLog(section) {
  const { job, active, started } = section.dataset;
  const lines = new Lines(job);
  const marks = new Marks();
  await fetchFirst(lines, marks);
  while (lines.error?.isPassing) {
    await new Promise((resolve) => setTimeout(resolve, RETRY));
    await fetchFirst(lines, marks);
  }
  if (lines.error !== null) {
    section.querySelector("pre.log")?.classList.add("is-all");
    return;
  }
  const folds = new Folds(lines);
  if (lines.markers) await folds.ask();
  const log = new Log(section, folds, marks, started ? Date.parse(started) : null);
  log.show();
  if (active === "true") lines.follow();
}

/** The end, which the page has asked for in advance, and the lines that the address names. */
async function fetchFirst(lines, marks) {
  const named = marks.first === null ? [] : [lines.fetchAround(marks.first)];
  await Promise.all([lines.fetchEnd(), ...named]);
}

class Log {
  constructor(section, folds, marks, start) {
    const { lines } = folds;
    this.section = section;
    this.lines = lines;
    this.folds = folds;
    this.marks = marks;
    this.settings = new Settings();
    this.search = new Search(lines);
    this.scroller = element("div", {
      class: "log-scroll",
      tabindex: "0",
      role: "region",
      "aria-label": "Log",
    });
    const raw = address(jobPath(lines.job, "/log"));
    this.view = new View(this.scroller, folds, rowDrawer({ ...this, start, raw }));
    this.status = element("span", { class: "log-status hint", role: "status" });
    this.bar = this.makeBar();
    this.listen();
  }

  /** Let the log end where the window does, even if notes above it come and go. */
  fit() {
    const top = this.scroller.getBoundingClientRect().top + window.scrollY;
    this.scroller.style.setProperty("--top", `${Math.round(top)}px`);
  }

  show() {
    this.section.querySelector("pre.log")?.replaceWith(this.bar, this.scroller);
    this.section.querySelector("[data-log-size]")?.remove(); // of what was there without us
    this.fit();
    new ResizeObserver(() => this.fit()).observe(document.body);
    this.showSettings();
    this.showStatus();
    if (this.marks.first === null) this.view.goToEnd();
    else this.goTo(this.marks.first);
  }

  goTo(line) {
    this.folds.open(line);
    this.view.goTo(this.folds.row(line));
    this.scroller.scrollIntoView({ block: "nearest" });
  }

  goToEnd() {
    this.view.goToEnd();
    this.scroller.scrollIntoView({ block: "nearest" });
  }

  // The bar

  makeBar() {
    this.input = element("input", {
      type: "search",
      placeholder: "Search the log",
      "aria-label": "Search the log",
      maxlength: "1000",
      autocomplete: "off",
      spellcheck: "false",
    });
    this.pattern = element("input", { type: "checkbox", "aria-label": "Search for a pattern" });
    this.count = element("span", { class: "log-count number", role: "status" });
    this.toEnd = button("End", "Go to the end, and follow it (G)", () => this.goToEnd());
    this.wrap = element("input", { type: "checkbox" });
    this.times = element(
      "select",
      { "aria-label": "Times of lines" },
      ...Object.entries(STYLES).map(([value, text]) => element("option", { value }, text)),
    );
    return element(
      "div",
      { class: "log-bar", role: "toolbar", "aria-label": "Log" },
      element(
        "form",
        { class: "log-search", role: "search", onsubmit: (event) => this.onSearch(event) },
        this.input,
        element("label", { class: "log-option", title: "A regular expression (RE2)" }, this.pattern, ".*"),
        button("↑", "Previous match (N)", () => this.step(-1), { class: "small", "aria-label": "Previous match" }),
        button("↓", "Next match (n)", () => this.step(1), { class: "small", "aria-label": "Next match" }),
        this.count,
      ),
      button("First error", "Go to the first error (e)", () => this.goToError(), { class: "small" }),
      this.toEnd,
      element("label", { class: "log-option", title: "Wrap long lines (w)" }, this.wrap, "Wrap"),
      this.times,
      this.status,
    );
  }

  listen() {
    this.search.addEventListener("change", () => this.onFound());
    this.marks.addEventListener("change", ({ detail }) => this.onMarked(detail.go));
    this.view.addEventListener("follow", () => this.showStatus());
    this.folds.addEventListener("folding", () => {
      this.kept = this.folds.number(this.view.anchor.line);
    });
    this.folds.addEventListener("folds", () => this.onFolded());
    for (const name of ["lines", "stream", "problem"]) {
      this.lines.addEventListener(name, () => this.showStatus());
    }
    this.wrap.addEventListener("change", () => this.set("wrap", this.wrap.checked));
    this.times.addEventListener("change", () => this.set("times", this.times.value));
    this.pattern.addEventListener("change", () => this.look());
    this.input.addEventListener("input", () => this.input.value || this.search.clear());
    this.scroller.addEventListener("click", (event) => this.onClick(event));
    document.addEventListener("keydown", (event) => {
      // Without a focus elsewhere, keys are for the log.
      if (this.section.contains(event.target) || event.target.matches("body, #main")) this.onKey(event);
    });
  }

  set(name, value) {
    this.settings.set(name, value);
    this.showSettings();
    this.view.redraw();
  }

  showSettings() {
    this.wrap.checked = this.settings.wrap;
    this.times.value = this.settings.times;
    this.scroller.classList.toggle("is-wrapped", this.settings.wrap);
  }

  showStatus() {
    const { total, error, stream, isLate } = this.lines;
    this.toEnd.setAttribute("aria-pressed", String(this.view.following));
    const count = total === 1 ? "1 line" : `${grouped(total)} lines`;
    this.scroller.style.setProperty("--digits", Math.max(3, String(total).length));
    const live = isLate ? " · waits for a connection" : " · live";
    const state = stream === null ? "" : live;
    this.status.textContent = error === null ? `${count}${state}` : error.message;
  }

  // Requests of the reader

  onSearch(event) {
    event.preventDefault();
    const { query } = this.search;
    const same = query?.text === this.input.value && query.syntax === this.syntax;
    if (same) this.step(1);
    else this.look();
  }

  get syntax() {
    return this.pattern.checked ? "pattern" : "text";
  }

  look() {
    return this.search.begin(this.input.value, this.syntax, this.folds.number(this.view.anchor.line));
  }

  step(by) {
    return this.search.step(by);
  }

  async goToError() {
    this.status.textContent = "looking for the first error …";
    try {
      const line = await firstError(this.lines.job);
      this.showStatus();
      if (line === null) this.status.textContent = "no line looks like an error";
      else this.mark(line);
    } catch (problem) {
      this.status.textContent = problem.message;
    }
  }

  mark(line) {
    this.marks.set(line);
    this.goTo(line);
  }

  onFound() {
    this.count.textContent = this.search.summary;
    this.view.redraw();
    if (this.search.current !== null) this.goTo(this.search.current);
  }

  onMarked(go) {
    this.view.redraw();
    if (go && this.marks.first !== null) this.goTo(this.marks.first);
  }

  /** Other lines are hidden: the first line in view stays where it is. */
  onFolded() {
    this.view.anchor.line = this.folds.row(this.kept);
    this.view.redraw();
  }

  onClick(event) {
    const fold = event.target.closest(".log-fold");
    if (fold !== null) {
      this.view.follow(false);
      this.folds.toggle(Number(fold.closest(".log-line").dataset.line) - 1);
      return;
    }
    const number = event.target.closest(".log-number");
    if (number === null || event.ctrlKey || event.metaKey || event.button !== 0) return;
    event.preventDefault();
    const line = Number(number.parentElement.dataset.line) - 1;
    this.marks.set(line, { extend: event.shiftKey });
  }

  /** Keys work only while the log has the focus, so that they don't override the reader's own. */
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea")) {
      if (event.key === "Escape" && event.target === this.input) this.leaveSearch();
      return;
    }
    const act = this.keys[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  }

  leaveSearch() {
    this.input.value = "";
    this.search.clear();
    this.scroller.focus();
  }

  get keys() {
    return {
      "/": () => this.input.focus(),
      n: () => this.step(1),
      N: () => this.step(-1),
      e: () => this.goToError(),
      w: () => this.set("wrap", !this.settings.wrap),
      g: () => this.goTo(0),
      Home: () => this.goTo(0),
      G: () => this.goToEnd(),
      End: () => this.goToEnd(),
    };
  }
}
