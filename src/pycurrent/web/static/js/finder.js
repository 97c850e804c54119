// The search over every page: Ctrl-K, or ⌘-K, opens it. It shows what the page of the search has, and is
// left by Escape. Keys alone do: arrows go from match to match, Enter follows one, and letters typed at a
// match go on in the text. Without scripts the button leads to that page.

import { element } from "./dom.js";
import { savedViews } from "./views.js";

const PAUSE = 120; // milliseconds after the last letter before it asks
const LEAST = 2; // letters
const LONGEST = 200;

class Finder {
  constructor() {
    this.timer = 0;
    this.asked = null; // what aborts the request that is under way
    this.shown = null; // the text whose matches are shown
    this.input = element("input", {
      type: "search",
      name: "q",
      maxlength: String(LONGEST),
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": "Search",
      placeholder: "Stages, labels, commits, jobs, failures, changes",
    });
    this.status = element("span", { class: "hint", role: "status" });
    this.views = element("div", { class: "finder-matches" }); // saved ones, which no request finds
    this.matches = element("div", { class: "finder-matches" });
    const form = element("form", { action: "/search", role: "search", onsubmit: (event) => this.onSubmit(event) });
    form.append(this.input);
    const keys = element("p", { class: "hint finder-keys" });
    keys.append(this.status, element("span", { class: "push" }, "↑ ↓ choose · Enter opens · Esc closes"));
    const found = element("div", { class: "finder-found" }, this.views, this.matches);
    this.dialog = element("dialog", { class: "finder", "aria-label": "Search" }, form, found, keys);
    this.input.addEventListener("input", () => {
      this.showViews();
      this.askSoon();
    });
    this.dialog.addEventListener("keydown", (event) => this.onKey(event));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    document.body.append(this.dialog);
  }

  open() {
    if (!this.dialog.open) {
      for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
      this.dialog.showModal();
    }
    this.input.select();
    this.showViews();
    this.show();
  }

  showViews() {
    const text = this.text.toLowerCase();
    const found = savedViews().filter(({ name }) => name.toLowerCase().includes(text));
    const rows = found.map(({ name, address }) => element("li", {}, element("a", { href: address }, name)));
    const head = () => element("div", { class: "card-head" }, element("h2", {}, "Saved views"));
    this.views.replaceChildren(...(rows.length ? [head(), element("ul", { class: "found" }, ...rows)] : []));
  }

  get text() {
    return this.input.value.trim();
  }

  get links() {
    return [...this.dialog.querySelectorAll(".finder-matches li > a:first-of-type")];
  }

  askSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE);
  }

  /** Show what holds the text, unless another one has been typed when the answer comes. */
  async ask() {
    clearTimeout(this.timer);
    this.asked?.abort();
    const { text } = this;
    if (text.length < LEAST || text === this.shown) return this.show();
    const asked = (this.asked = new AbortController());
    this.status.textContent = "Searching …";
    try {
      const address = `/search?${new URLSearchParams({ q: text })}`;
      const response = await fetch(address, { credentials: "same-origin", signal: asked.signal });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const found = page.querySelector("[data-found]");
      if (!response.ok || found === null) throw new Error(page.querySelector("main")?.textContent);
      this.matches.replaceChildren(...document.importNode(found, true).childNodes);
      this.matches.dispatchEvent(new CustomEvent("part:fresh", { bubbles: true }));
      this.shown = text;
      this.show();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.clear();
      this.status.textContent = "The search does not answer: try again, or load the page again.";
    }
  }

  show() {
    if (this.text.length < LEAST) this.clear();
    const count = this.matches.querySelectorAll("li:not([data-more])").length;
    const many = count === 1 ? "1 match" : `${count} matches`;
    this.status.textContent = this.shown === null ? "Two letters at least" : many;
  }

  clear() {
    this.shown = null;
    this.matches.replaceChildren();
  }

  /** The first match opens: a saved view at once, others as far as those of this text are shown. */
  onSubmit(event) {
    const [first] = this.links;
    if (first === undefined || this.text === "") return;
    if (this.shown !== this.text && !this.views.contains(first)) return;
    event.preventDefault();
    first.click();
  }

  onKey(event) {
    const isAt = document.activeElement;
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // the page has keys of its own
    if (event.key === "Escape") {
      event.preventDefault(); // browsers would empty the field first
      this.dialog.close();
      return;
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const all = [this.input, ...this.links];
      const step = event.key === "ArrowDown" ? 1 : -1;
      const at = all.indexOf(isAt) === -1 ? all.findLastIndex((one) => precedes(one, isAt)) : all.indexOf(isAt) + step;
      all[Math.max(0, Math.min(all.length - 1, at))].focus();
      return;
    }
    const isLetter = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (isAt !== this.input && (isLetter || event.key === "Backspace")) this.input.focus();
  }
}

function precedes(one, other) {
  return Boolean(one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING);
}

let finder = null;

function open(event) {
  event.preventDefault();
  finder ??= new Finder();
  finder.open();
}

function onKey(event) {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  if (document.querySelector("[data-search]") === null) return; // nobody is logged in
  const field = document.querySelector('.page-search input[name="q"]');
  if (field === null) open(event);
  else {
    event.preventDefault();
    field.select();
  }
}

function onClick(event) {
  if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (event.target.closest?.("[data-search]")) open(event);
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", onClick);
