// The bar above the views: the choice of view, the search, and the settings of the diagram.

import { button, element } from "../dom.js";
import { grouped } from "../numbers.js";
import { VIEWS } from "./address.js";
import { stateOf } from "./states.js";

const NAMES = { diagram: "Diagram", table: "Table", failures: "Failures" };
const KEYS = [
  ["/", "search"],
  ["Enter", "in the search: the next one that matches"],
  ["n, N", "the next or last one that matches; without a search, that has failed"],
  ["1, 2, 3", "diagram, table, failures"],
  ["arrows", "go to what is next to it"],
  ["Home, End", "go to where it begins, or ends"],
  ["Enter, Space", "open the job; open or close a part"],
  ["o", "open the page of the item"],
  ["+, −, 0", "larger, smaller, as it was"],
  ["?", "this list"],
];

export class Toolbar {
  /** `page` has: view, text, rank and choose(view), look(text), pick(rank), next(step), and so on. */
  constructor(page) {
    this.page = page;
    this.tabs = new Map(VIEWS.map((view) => [view, this.tab(view)]));
    const tabs = element("div", { class: "view-tabs", role: "group", "aria-label": "Views" }, ...this.tabs.values());
    this.search = element("input", {
      type: "search",
      placeholder: "Search stages and failures",
      "aria-label": "Search stages and failures",
      "aria-keyshortcuts": "/",
      autocomplete: "off",
      spellcheck: "false",
      value: page.text,
    });
    this.search.addEventListener("input", () => page.look(this.search.value));
    this.search.addEventListener("keydown", (event) => this.searchKey(event));
    this.found = element("span", { class: "muted number", role: "status" });
    this.chip = element("span", { class: "chosen-state" });
    this.tools = this.makeTools();
    this.help = this.makeHelp();
    const seek = element("div", { class: "seek" }, this.search, this.found, this.chip);
    this.element = element("div", { class: "pipeline-bar" }, tabs, seek, this.tools, this.help);
    document.addEventListener("keydown", (event) => this.key(event));
  }

  tab(view) {
    const tab = button(NAMES[view], NAMES[view], () => this.page.choose(view), { "data-view": view });
    tab.removeAttribute("title");
    return tab;
  }

  makeTools() {
    const { page } = this;
    // The spoken name of a button contains the words on it.
    const tool = (text, title, act) =>
      button(text, title, act, { class: "small quiet", "aria-label": /^\w/.test(text) ? `${text}: ${title}` : title });
    this.openAll = tool("Unfold all", "Open all folds", () => page.openAll());
    return element(
      "div",
      { class: "pipeline-tools" },
      tool("−", "Smaller (-)", () => page.diagram.zoom.smaller()),
      tool("+", "Larger (+)", () => page.diagram.zoom.larger()),
      tool("Fit", "All of it", () => page.fit()),
      this.openAll,
      tool("Fold all", "Close all folds", () => page.closeAll()),
      tool("Reset", "Folds and size as they were at first", () => page.reset()),
    );
  }

  makeHelp() {
    const rows = KEYS.flatMap(([keys, what]) => [
      element("dt", {}, element("kbd", {}, keys)),
      element("dd", {}, what),
    ]);
    const dialog = element(
      "dialog",
      { class: "keys", "aria-label": "Keys" },
      element("h2", {}, "Keys"),
      element("dl", { class: "facts" }, ...rows),
      element("form", { method: "dialog" }, element("button", {}, "Close")),
    );
    const open = button("?", "Keys (?)", () => dialog.showModal(), { class: "small quiet", "aria-label": "Keys (?)" });
    this.dialog = dialog;
    return element("div", { class: "pipeline-help" }, open, dialog);
  }

  /** Show the present choices. */
  refresh({ found, failures, tooLarge }) {
    const { page } = this;
    for (const [view, tab] of this.tabs) tab.setAttribute("aria-pressed", view === page.view ? "true" : "false");
    const text = failures > 0 ? `Failures ${grouped(failures)}` : "Failures";
    const tab = this.tabs.get("failures");
    if (tab.textContent !== text) tab.textContent = text;
    tab.classList.toggle("some", failures > 0);
    this.found.textContent = found === null ? "" : `${grouped(found)} ${found === 1 ? "match" : "matches"}`;
    this.tools.hidden = page.view !== "diagram";
    this.openAll.disabled = tooLarge;
    if (page.rank !== this.shownRank) this.showChip();
  }

  showChip() {
    const { page } = this;
    this.shownRank = page.rank;
    if (page.rank < 0) this.chip.replaceChildren();
    else {
      const all = button("×", "Show all states", () => page.pick(-1), { class: "small quiet" });
      this.chip.replaceChildren(stateOf(page.rank, "badge"), all);
    }
  }

  searchKey(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      this.page.next(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape" && this.search.value === "") {
      this.search.blur();
    }
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.dialog.open) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
    const act = this.action(event.key);
    if (act === null) return;
    event.preventDefault();
    act();
  }

  action(key) {
    if (key === "/") return () => this.search.select();
    if (key === "?") return () => this.dialog.showModal();
    if (key === "n") return () => this.page.next(1);
    if (key === "N") return () => this.page.next(-1);
    const view = VIEWS[Number(key) - 1];
    return view === undefined ? null : () => this.page.choose(view);
  }
}
