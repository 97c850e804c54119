// Conveniences of all pages, where scripts run: no page needs them.

import "./confirm.js";
import "./finder.js";
import "./follow.js";
import "./header.js";
import "./parts.js";
import "./still.js";
import "./views.js";
import { secondsSince } from "./clock.js";
import { live } from "./live.js";

const UNITS = [
  [86400, "d", 3600, "h"],
  [3600, "h", 60, "min"],
  [60, "min", 1, "s"],
];

/** A number of seconds as the server writes it: `1.2 s`, `2 min 05 s`, `3 h 07 min`. */
export function duration(seconds) {
  const time = Math.max(0, seconds);
  if (time < 9.95) return `${time.toFixed(1)} s`;
  const whole = Math.round(time);
  for (const [large, name, small, smallName] of UNITS) {
    if (whole >= large) {
      const rest = String(Math.floor((whole % large) / small)).padStart(2, "0");
      return `${Math.floor(whole / large)} ${name} ${rest} ${smallName}`;
    }
  }
  return `${whole} s`;
}

/** Times that go on: the text of each element with `data-since`, once a second. */
function tick() {
  for (const element of document.querySelectorAll("[data-since]")) {
    const text = duration(secondsSince(element.dataset.since));
    if (element.textContent !== text) element.textContent = text;
  }
}

/** Times as the reader's clock shows them. */
function showLocalTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const time = new Date(element.dateTime);
    if (Number.isNaN(time.getTime())) continue;
    const local = new Date(time.getTime() - time.getTimezoneOffset() * 60000);
    element.textContent = local.toISOString().slice(0, 19).replace("T", " ");
    element.title = time.toISOString();
  }
}

/** The box above a list that ticks all of it. */
function makeSelectable(form) {
  const all = form.querySelector("[data-select-all]");
  if (all === null) return;
  const boxes = () => [...form.querySelectorAll('tbody input[type="checkbox"]:enabled')];
  const show = () => {
    const ticked = boxes().filter((box) => box.checked).length;
    all.checked = ticked > 0 && ticked === boxes().length;
    all.indeterminate = ticked > 0 && !all.checked;
  };
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
  });
  form.addEventListener("change", show);
  show();
}

/** A file is read into the text of the form that it is for. */
function makeFilesReadable() {
  for (const label of document.querySelectorAll("[data-file]")) {
    const text = label.closest("form").querySelector("[data-csv]");
    label.hidden = false;
    label.querySelector("[data-file-input]").addEventListener("change", async (event) => {
      const [file] = event.target.files;
      if (file !== undefined) text.value = await file.text();
    });
  }
}

/** Close menus when the focus moves elsewhere. */
function closeMenus(event) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (event.type === "keydown") {
      if (event.key !== "Escape") continue;
      menu.querySelector("summary").focus();
    } else if (menu.contains(event.target)) {
      continue;
    }
    menu.open = false;
  }
}

/** Colours change without loading the page again; the cookie has the server know. */
function makeThemeToggle() {
  const button = document.querySelector("[data-theme-toggle]");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const current = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");
  const name = () => {
    const other = current() === "dark" ? "light" : "dark";
    button.value = other;
    button.title = button.ariaLabel = `${other === "dark" ? "Dark" : "Light"} colours`;
  };
  button.form.addEventListener("submit", (event) => {
    event.preventDefault();
    root.dataset.theme = button.value;
    document.cookie = `pycurrent-theme=${button.value}; path=/; max-age=31536000; samesite=lax`;
    name();
  });
  dark.addEventListener("change", name);
  name();
}

tick();
setInterval(tick, 1000);
showLocalTimes(document);
document.querySelectorAll("form[data-selectable]").forEach(makeSelectable);
makeFilesReadable();
makeThemeToggle();
// Where the diagram is, the stream begins after what that shows.
if (document.body.dataset.may && !document.querySelector("[data-pipeline]")) live.start(document.body.dataset.event ?? null);
document.addEventListener("part:fresh", (event) => showLocalTimes(event.target));
document.addEventListener("click", closeMenus);
document.addEventListener("keydown", closeMenus);
