// The pipeline: a diagram, tables and failures, three views of the same tree, kept up to date by
// events. The address holds the reader's choices.

import { Problem, address as apiAddress } from "./api.js";
import { element } from "./dom.js";
import "./header.js";
import { live } from "./live.js";
import { Address, readAddress } from "./pipeline/address.js";
import { Card } from "./pipeline/card.js";
import { Diagram, MOST_SHOWN } from "./pipeline/diagram.js";
import { Failures } from "./pipeline/failures.js";
import { Folds, isOfList } from "./pipeline/folds.js";
import { HiddenFailures } from "./pipeline/hidden.js";
import { FAILED, rankOf, signs } from "./pipeline/states.js";
import { Table } from "./pipeline/table.js";
import { Toolbar } from "./pipeline/toolbar.js";
import { Tree } from "./pipeline/tree.js";

const PACE = 300; // milliseconds between two readings of the structure, at least
const RETRY = 3000;
const LATE = 400; // milliseconds before it is said that the pipeline is being read
const READING = "Reading the pipeline …";
const MOST_OPENED = 200; // closed lists; the server takes no more
const LONGEST_QUERY = 6000; // characters of their ids; many a proxy takes no address above 8000

class Page {
  constructor(place) {
    const chosen = readAddress();
    this.view = chosen.view;
    this.text = chosen.text;
    this.rank = chosen.rank;
    this.sort = chosen.sort;
    this.unfolded = new Set(chosen.unfolded);
    this.rowsToggled = new Set(chosen.rows);
    this.folds = new Folds(chosen.opened, chosen.shut);
    this.zoomAsked = chosen.zoom;
    this.mayBuild = (document.body.dataset.may ?? "").split(" ").includes("builder");
    this.address = new Address(() => this.chosen());
    this.tree = null;
    this.shown = this.view;
    /** Whether the pipeline has parts that are folded in the diagram. */
    this.hasFolds = false;
    this.pending = null;
    this.place = place;
    place.append(signs());
    this.card = new Card();
    this.diagram = new Diagram(this);
    this.table = new Table(this);
    this.failures = new Failures(this);
    this.views = { diagram: this.diagram, table: this.table, failures: this.failures };
    this.toolbar = new Toolbar(this);
    this.note = element("div", { class: "pipeline-note", role: "status", "aria-live": "polite" });
    this.hidden = new HiddenFailures(() => this.unfoldAll());
    const views = Object.values(this.views).map((view) => view.element);
    place.append(this.toolbar.element, this.note, this.hidden.element, ...views, this.card.element);
    this.listen();
  }

  chosen() {
    const { view, text, rank, sort } = this;
    return {
      view,
      text,
      rank,
      sort,
      opened: [...this.folds.opened],
      shut: [...this.folds.shut],
      unfolded: [...this.unfolded],
      zoom: this.diagram.zoom.text,
      rows: [...this.rowsToggled],
    };
  }

  changed() {
    this.address.changed();
  }

  // Reading

  /** Read the snapshot and show it, with the events that happened meanwhile. */
  async load() {
    this.pending = [];
    this.isStale = false;
    const began = performance.now();
    const reading = this.tree === null && !this.failed ? setTimeout(() => this.say(READING), LATE) : 0;
    try {
      const isUnfolded = this.wantsUnfolded;
      const query = this.query(isUnfolded);
      const snapshot = await this.read(query);
      const late = this.pending;
      this.show(new Tree(snapshot, { isUnfolded }));
      for (const states of late) this.patch(states);
      live.look(query, snapshot.last_event);
      this.failed = false;
    } catch (error) {
      this.isStale = true;
      this.failed = true;
      if (!(error instanceof Problem)) throw error;
      this.say(`The pipeline can't be read: ${error.message}`);
    } finally {
      clearTimeout(reading);
      this.pending = null;
      // A large pipeline that is rebuilt all the time leaves time for something else.
      const pause = this.failed ? RETRY : Math.max(PACE, 2 * (performance.now() - began));
      setTimeout(() => {
        this.isLoading = false;
        if (this.isStale) this.reload();
      }, pause);
    }
  }

  /** Parts are folded in the diagram only: tables and failures show what is in them. */
  get wantsUnfolded() {
    return this.view !== "diagram" && this.hasFolds;
  }

  /** Says what of the diagram is to be sent. */
  query(isUnfolded) {
    const folds = isUnfolded ? ["all"] : [...this.unfolded];
    return [["fold", "true"], ...folds.map((fold) => ["unfold", fold]), ...this.openedLists().map((id) => ["open", id])];
  }

  /** The ids of the lists that were opened, without the first ones if they are too many. */
  openedLists() {
    const ids = [...this.folds.opened].filter(isOfList).slice(-MOST_OPENED);
    let length = ids.reduce((sum, id) => sum + encodeURIComponent(id).length, 0);
    while (length > LONGEST_QUERY) length -= encodeURIComponent(ids.shift()).length;
    return ids;
  }

  async read(query) {
    const response = await fetch(`${apiAddress("/pipeline")}?${new URLSearchParams(query)}`).catch(() => {
      throw new Problem(0, "Not reachable", "the engine can't be reached");
    });
    if (!response.ok) throw new Problem(response.status, response.statusText);
    return response.json();
  }

  reload() {
    this.isStale = true;
    if (this.isLoading) return;
    this.isLoading = true;
    this.load();
  }

  show(tree) {
    this.tree = tree;
    this.folds.reckon(tree);
    this.place.dataset.version = tree.version;
    if (this.failed || this.note.textContent === READING) this.say("");
    if (!tree.isUnfolded) this.hasFolds = tree.folds.length > 0;
    this.draw();
    if (tree.isUnfolded !== this.wantsUnfolded) this.reload();
  }

  patch(states) {
    const boxes = this.tree.show(states);
    if (boxes.length === 0) return;
    this.views[this.shown].patch(boxes);
    this.card.patch(boxes);
    this.refresh();
  }

  listen() {
    live.on("states", (states) => {
      this.pending?.push(states);
      if (this.tree !== null) this.patch(states);
    });
    live.on("overview", ({ counts }) => {
      this.hidden.all = counts.failed ?? 0;
      if (this.tree !== null) this.refresh();
    });
    live.on("structure", ({ version }) => {
      // It may have been read already, before that was told.
      if (this.tree === null || this.tree.version < version) this.reload();
    });
    live.on("reset", () => this.reload());
    window.addEventListener("resize", () => this.fill());
    document.addEventListener("click", (event) => this.pickFromHeader(event));
    this.fill();
  }

  /** Give the views the room that is left in the window. */
  fill() {
    const top = this.toolbar.element.getBoundingClientRect().bottom + scrollY;
    this.place.style.setProperty("--room", `${Math.max(320, innerHeight - top - 30)}px`);
  }

  // Showing

  /** Draw the visible view; the others are drawn when they are shown. */
  draw() {
    this.shown = this.view;
    for (const [name, view] of Object.entries(this.views)) {
      view.element.hidden = name !== this.view;
      if (name === this.view) view.draw(this.tree);
    }
    this.refresh();
  }

  refresh() {
    const found = this.isFiltering ? this.found().length : null;
    this.toolbar.refresh({
      found,
      failures: this.hidden.show(this.tree),
      tooLarge: this.tree.boxes.size > MOST_SHOWN,
    });
  }

  say(text) {
    this.note.textContent = text;
  }

  // Search

  get isFiltering() {
    return this.text !== "" || this.rank >= 0;
  }

  /** True if a box matches the search. `row` is the name of its row, if it has one. */
  matches(box, { row = "", anyState = false } = {}) {
    if (this.rank >= 0 && !anyState && box.inside?.[this.rank] > 0) return this.isNamed(box, row);
    if (this.rank >= 0 && !anyState && box.rank !== this.rank && box.concern !== this.rank && box.update !== this.rank) return false;
    if (this.text === "") return this.rank < 0 || box.isStage || anyState;
    return this.isNamed(box, row);
  }

  isNamed(box, row) {
    const said = `${box.label}\n${box.labels}\n${box.rowLabel ?? ""}\n${row}\n${box.fold?.value ?? ""}\n${box.why ?? ""}`;
    return said.toLowerCase().includes(this.text.toLowerCase());
  }

  found() {
    return [...this.tree.boxes.values()].filter((box) => box.kind !== "junction" && this.matches(box));
  }

  look(text) {
    this.text = text.trim();
    this.filter();
  }

  pick(rank) {
    this.rank = rank;
    this.filter();
  }

  filter() {
    this.last = null;
    if (this.tree !== null) {
      this.views[this.shown].filter();
      this.refresh();
    }
    this.changed();
  }

  /** Go to the next match, or else to the next failure. */
  next(step) {
    const among = this.isFiltering ? this.found() : [...this.tree.boxes.values()].filter(({ concern }) => concern === FAILED);
    if (among.length === 0 || this.view === "failures") return;
    const index = among.indexOf(this.last) + (this.last == null && step < 0 ? 0 : step);
    this.last = among.at(((index % among.length) + among.length) % among.length);
    this.views[this.shown].reveal(this.last);
  }

  pickFromHeader(event) {
    const link = event.target.closest?.('a[href^="/?state="]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    const rank = rankOf(new URL(link.href).searchParams.get("state"));
    this.pick(rank === this.rank ? -1 : rank);
  }

  // Choices

  choose(view) {
    if (view === this.view) return;
    this.view = view;
    this.card.hide();
    if (this.tree !== null) this.switch();
    this.changed();
  }

  /** Draw the view that was chosen; one that takes another tree is drawn when that is there. */
  switch() {
    if (this.tree.isUnfolded === this.wantsUnfolded) this.draw();
    else this.reload();
    this.refresh();
  }

  /** Have the server show what is in a fold, or a closed list. */
  unfold(box) {
    if (box.kind === "list") this.folds.opened.add(box.id);
    else this.unfolded.add(`${box.fold.key}:${box.fold.value}`);
    this.changed();
    this.reload();
  }

  /** Have the server show what is in folds, too. */
  unfoldAll() {
    this.unfolded = new Set(["all"]);
    this.changed();
    this.reload();
  }

  openAll() {
    this.folds.openAll();
    this.redraw();
  }

  closeAll() {
    this.folds.closeAll();
    this.redraw();
  }

  reset() {
    const isMore = this.unfolded.size + this.openedLists().length > 0;
    this.folds.reset();
    this.unfolded.clear();
    if (isMore) this.reload();
    this.redraw();
  }

  redraw() {
    this.diagram.draw(this.tree, null);
    this.diagram.zoom.fit();
    this.changed();
  }

  fit() {
    this.diagram.zoom.fit({ whole: true });
    this.changed();
  }
}

const place = document.querySelector("[data-pipeline]");
document.querySelector("main").classList.add("wide");
new Page(place).reload();
