// Views that the reader has saved: addresses of this site by a name. Filters, folds and sorting are in the
// address of each page, so a view is an address. They are kept by this browser, for each user apart: an
// address can be sent to others, and a name is one's own.

import { button, element } from "./dom.js";

const MOST = 100;
const KEY = `pycurrent-views:${document.body.dataset.user ?? ""}`;
const NOTE = "note"; // a message that was shown once does not belong to a view

/** All of them, `{name, address}`, in the order of their names. Broken ones are left out. */
export function savedViews() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isView) : [];
  } catch {
    return [];
  }
}

/** Of this site only, whatever else has written there. */
function isView(view) {
  return typeof view?.name === "string" && typeof view.address === "string" && /^\/(?![/\\])/.test(view.address);
}

/** A view of this name takes the place of another one. Throws if the browser keeps nothing. */
function save(name, address) {
  const others = savedViews().filter((view) => view.name !== name);
  if (others.length >= MOST) throw new Error(`${MOST} views are saved: remove one first.`);
  const all = [...others, { name, address }].sort((a, b) => a.name.localeCompare(b.name));
  localStorage.setItem(KEY, JSON.stringify(all));
}

function remove(name) {
  localStorage.setItem(KEY, JSON.stringify(savedViews().filter((view) => view.name !== name)));
}

/** Where the reader is. */
function here() {
  const query = new URLSearchParams(location.search);
  query.delete(NOTE);
  const text = query.toString();
  return text ? `${location.pathname}?${text}` : location.pathname;
}

class Menu {
  constructor(menu) {
    this.menu = menu;
    this.list = menu.querySelector("[data-saved-views]");
    this.name = element("input", {
      name: "view",
      required: true,
      maxlength: "80",
      autocomplete: "off",
      "aria-label": "Name of the view",
      placeholder: "Name of this view",
    });
    this.said = element("p", { class: "hint", role: "status" });
    const form = element("form", { class: "save-view", onsubmit: (event) => this.onSave(event) }, this.name);
    form.append(element("button", {}, "Save this view"));
    this.list.after(form, this.said);
    menu.addEventListener("toggle", () => menu.open && this.show());
    window.addEventListener("storage", ({ key }) => key === KEY && this.show());
    this.show();
  }

  show() {
    const views = savedViews();
    const rows = views.map(({ name, address }) => {
      const title = `Remove the view ${name}`;
      const act = () => {
        remove(name);
        this.show();
        this.name.focus();
      };
      const off = button("×", title, act, { class: "quiet small", "aria-label": title });
      return element("li", {}, element("a", { href: address }, name), off);
    });
    this.list.replaceChildren(...rows);
    this.list.hidden = rows.length === 0;
    if (this.name.value === "") this.name.value = views.find(({ address }) => address === here())?.name ?? "";
  }

  onSave(event) {
    event.preventDefault();
    const name = this.name.value.trim();
    if (name === "") return;
    try {
      save(name, here());
      this.said.textContent = `Saved in this browser: ${name}`;
    } catch (error) {
      this.said.textContent = `Not saved: ${error.message}`;
    }
    this.show();
  }
}

const menu = document.querySelector("[data-views]");
if (menu !== null) {
  menu.hidden = false;
  new Menu(menu);
}
