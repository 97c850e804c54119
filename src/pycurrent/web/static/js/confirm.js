// The confirmation level in the header of each page, kept up to date, with the numbers of jobs that
// wait and that would start. Without scripts it is a normal form.

import { get } from "./api.js";
import { element } from "./dom.js";
import { live } from "./live.js";
import { grouped } from "./numbers.js";

const LEVELS = ["harmless", "mostly-harmless", "average", "above-average", "dangerous"];

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
    this.waiting = new Map(); // job: its level
    this.chosen = false; // whether the reader is about to set another one
    this.form?.setAttribute("data-in-place", "");
    this.form?.addEventListener("change", () => (this.chosen = true));
    this.form?.addEventListener("form:sent", () => this.sent());
    place.addEventListener("toggle", () => this.onToggle());
    live.on("confirm", ({ level }) => this.set(level));
    live.keep("jobs", {
      read: () => get("/confirm"),
      replace: ({ level, waiting }) => {
        this.waiting = new Map(waiting.map((job) => [job.id, job.wait.level]));
        this.set(level);
      },
      apply: (jobs) => {
        for (const [id, job] of Object.entries(jobs)) {
          if (job?.wait?.reason === "confirmation") this.waiting.set(id, job.wait.level);
          else this.waiting.delete(id);
        }
        this.show();
      },
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
    const count = this.waiting.size;
    const waits = this.form && count ? ` · ${grouped(count)} waiting` : "";
    this.summary.replaceChildren("Confirm: ", element("b", {}, words(this.level)), waits);
    for (const radio of this.form?.elements.level ?? []) {
      const level = radio.value === "none" ? null : radio.value;
      if (!this.chosen) radio.checked = level === this.level;
      this.showStarts(radio, this.starts(level));
    }
  }

  /** How many jobs would start if the level were this one. */
  starts(level) {
    const bound = level === null ? LEVELS.length : LEVELS.indexOf(level);
    return [...this.waiting.values()].filter((one) => LEVELS.indexOf(one) < bound).length;
  }

  showStarts(radio, count) {
    const text = radio.nextElementSibling;
    text.querySelector(".muted")?.remove();
    if (count) text.append(element("span", { class: "muted" }, ` – ${count} would start`));
  }
}

const place = document.querySelector('[data-live="confirm"]');
if (place) new Confirmation(place);
