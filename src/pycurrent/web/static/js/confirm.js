// The confirmation level in the header of each page, kept up to date, with the numbers of jobs that
// wait and that would start. Without scripts it is a normal form.

import { get } from "./api.js";
import { element } from "./dom.js";
import { live } from "./live.js";
import { grouped } from "./numbers.js";

const AGAIN = 300; // milliseconds between a change and the next look, at least

/** As the server puts it. */
function words(level) {
  if (level === null) return "nothing";
  if (level === "harmless") return "everything";
  return level === "dangerous" ? level : `${level} and above`;
}

class Confirmation {
  constructor(place) {
    this.place = place;
    this.summary = place.querySelector("summary") ?? place;
    this.form = place.querySelector("form");
    this.level = null;
    this.waiting = 0; // how many jobs wait for confirmation
    this.starts = new Map(); // by level: how many would start
    this.chosen = false; // whether the reader is about to set another one
    this.form?.setAttribute("data-in-place", "");
    this.form?.addEventListener("change", () => (this.chosen = true));
    this.form?.addEventListener("form:sent", () => this.sent());
    place.addEventListener("toggle", () => this.onToggle());
    live.on("confirm", ({ level }) => this.set(level));
    const readSoon = live.keep("jobs", {
      read: () => get("/confirm", { limit: 0 }),
      replace: ({ level, total, choices }) => {
        this.waiting = total;
        this.starts = new Map(choices.map(({ level, starts }) => [level, starts]));
        this.set(level);
      },
      // Whether one of them has waited is not known: the server has counted.
      apply: (jobs) => {
        const waits = Object.values(jobs).some((job) => job?.wait?.reason === "confirmation");
        if (waits || this.waiting > 0) readSoon();
      },
      pause: AGAIN,
    });
  }

  set(level) {
    this.level = level;
    this.show();
  }

  sent() {
    this.chosen = false;
    this.place.open = false;
    this.summary.focus();
  }

  onToggle() {
    if (this.place.open) return;
    this.chosen = false;
    this.show();
  }

  show() {
    const count = this.waiting;
    const waits = this.form && count ? ` · ${grouped(count)} waiting` : "";
    this.summary.replaceChildren("Confirm: ", element("b", {}, words(this.level)), waits);
    for (const radio of this.form?.elements.level ?? []) {
      const level = radio.value === "none" ? null : radio.value;
      if (!this.chosen) radio.checked = level === this.level;
      this.showStarts(radio, this.starts.get(level));
    }
  }

  showStarts(radio, count) {
    const text = radio.nextElementSibling;
    text.querySelector(".muted")?.remove();
    if (count) text.append(element("span", { class: "muted" }, ` – ${count} would start`));
  }
}

const place = document.querySelector('[data-live="confirm"]');
if (place) new Confirmation(place);
