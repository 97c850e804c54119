// The address of the page holds all choices of the reader, so that a link, a reload or the browser's
// "back" shows the same.

import { rankOf, STATES } from "./states.js";

export const VIEWS = ["diagram", "table", "failures"];

// Browsers allow about a hundred changes of the address in half a minute.
const AT_ONCE = 30;
const SPAN = 15_000; // milliseconds in which so many are written at once,
const PACE = 400; // and between two of those that are more: zooming is many changes

/** Read the choices from the address. */
export function readAddress() {
  const query = new URLSearchParams(location.search);
  const view = query.get("view");
  const state = query.get("state");
  return {
    view: VIEWS.includes(view) ? view : VIEWS[0],
    text: query.get("text") ?? "",
    rank: state === null ? -1 : rankOf(state),
    opened: query.getAll("open"),
    shut: query.getAll("shut"),
    unfolded: query.getAll("unfold"),
    zoom: query.get("zoom"),
    sort: query.get("sort") ?? "state",
    rows: query.getAll("row"),
  };
}

/** Keeps the address up to date. */
export class Address {
  /** `chosen()` gives what `readAddress` would. */
  constructor(chosen) {
    this.chosen = chosen;
    this.timer = 0;
    this.times = [];
  }

  changed() {
    clearTimeout(this.timer);
    const now = performance.now();
    this.times = this.times.filter((time) => time > now - SPAN);
    if (this.times.length < AT_ONCE) this.write();
    else this.timer = setTimeout(() => this.write(), PACE);
  }

  write() {
    this.times.push(performance.now());
    const search = textOf(this.chosen());
    const address = search ? `?${search}` : location.pathname;
    if (search !== location.search.slice(1)) history.replaceState(history.state, "", address);
  }
}

function textOf({ view, text, rank, opened, shut, unfolded, zoom, sort, rows }) {
  const query = new URLSearchParams();
  if (view !== VIEWS[0]) query.set("view", view);
  if (rank >= 0) query.set("state", STATES[rank].replaceAll("-", "_"));
  if (text) query.set("text", text);
  for (const path of opened) query.append("open", path);
  for (const path of shut) query.append("shut", path);
  for (const fold of unfolded) query.append("unfold", fold);
  if (sort !== "state") query.set("sort", sort);
  for (const row of rows) query.append("row", row);
  if (zoom !== null) query.set("zoom", zoom);
  return query.toString();
}
