// The jobs that have not ended, live: rows come, change and go. Ticked rows stay ticked, and actions
// are sent as without scripts, but in place. However many jobs there are, the page knows only the
// oldest ones, which it shows. Where the address has a filter, the server says which jobs pass it.

import { get } from "./api.js";
import { secondsSince } from "./clock.js";
import { element } from "./dom.js";
import { live } from "./live.js";
import { grouped } from "./numbers.js";
import { state } from "./signs.js";
import { JOB_STATES } from "./states.js";
import { duration } from "./site.js";

const SHOWN = 250; // rows; the server shows as many
const AGAIN = 2000; // milliseconds before the jobs are read again, as others have moved up
const STAYS = 3000; // milliseconds for which a row that has gone stays after the last click or touch

class Jobs {
  constructor(body) {
    this.body = body;
    this.form = body.closest("form");
    this.filter = filterOf(new URLSearchParams(location.search));
    this.template = document.querySelector("[data-job-row]").content.querySelector("tr");
    this.may = new Set((document.body.dataset.may ?? "").split(" "));
    this.jobs = new Map(); // the oldest ones, the oldest first
    this.isWhole = false; // whether these are all
    this.total = 0;
    this.rows = new Map([...body.rows].map((row) => [row.dataset.job, row]));
    this.frame = 0;
    this.changed = new Set();
    this.gone = new Set(); // rows of jobs that have ended
    this.touched = -STAYS;
    for (const name of ["pointerdown", "keydown"]) {
      this.form.addEventListener(name, () => (this.touched = performance.now()));
    }
    this.form.addEventListener("pointerleave", () => this.sweep());
    live.on("overview", ({ jobs }) => {
      if (this.filter === null) this.total = jobs;
      this.request([]);
    });
    // Events don't tell which jobs come next, nor places in queues: they change with each end.
    this.readSoon = live.keep("jobs", {
      read: () => get("/jobs", { limit: SHOWN, ...this.filter }),
      replace: ({ jobs, next, total }) => {
        this.jobs = new Map(jobs.map((job) => [job.id, job]));
        this.isWhole = next === null && !this.filter?.after;
        this.total = total;
        this.showNext(next);
        this.request([...this.jobs.keys(), ...this.rows.keys()]);
      },
      apply: (jobs) => this.apply(jobs),
      pause: AGAIN,
    });
  }

  apply(jobs) {
    const entries = Object.entries(jobs);
    entries.sort(([, a], [, b]) => (a?.created ?? "").localeCompare(b?.created ?? ""));
    let isUnknown = false; // whether one of them may pass the filter
    for (const [id, job] of entries) {
      if (job === null) this.jobs.delete(id);
      else if (this.jobs.has(id)) this.jobs.set(id, placed(job, this.jobs.get(id)));
      else if (this.filter !== null) isUnknown = true;
      else if (this.isWhole && this.jobs.size < SHOWN) this.jobs.set(id, job);
      else this.isWhole = false; // it comes after those that are shown
    }
    this.request(Object.keys(jobs));
    const moveUp = [...this.jobs.values()].some(({ wait }) => wait?.reason === "queue");
    if (isUnknown || moveUp || (!this.isWhole && this.jobs.size < SHOWN)) this.readSoon();
  }

  /** The link to the page that begins after the last job of this one. */
  showNext(last) {
    const pages = this.form.querySelector("[data-jobs-pages]");
    const link = pages.querySelector("[data-jobs-next]");
    link.hidden = last === null;
    pages.hidden = last === null && !this.filter?.after;
    if (last === null) return;
    const query = new URLSearchParams(location.search);
    query.set("after", last);
    link.href = `/jobs?${query}`;
  }

  /** Show the new states of these jobs, with the next frame. */
  request(ids) {
    for (const id of ids) this.changed.add(id);
    this.frame ||= requestAnimationFrame(() => this.show());
  }

  show() {
    this.frame = 0;
    for (const id of this.changed) {
      const row = this.rows.get(id);
      const job = this.jobs.get(id);
      if (row === undefined) continue;
      if (job === undefined) this.end(id, row);
      else this.fill(row, job);
    }
    this.changed.clear();
    this.showMore();
    this.showTotal();
    this.form.dispatchEvent(new Event("change"));
  }

  /** The job has ended. Its row stays as long as the reader may be about to click on another. */
  end(id, row) {
    this.rows.delete(id);
    this.gone.add(row);
    row.classList.add("gone");
    row.removeAttribute("data-job");
    row.querySelector('[data-cell="state"]').replaceChildren(element("span", { class: "muted" }, "has ended"));
    row.querySelector('[data-cell="wait"]').replaceChildren();
    row.querySelector('[data-cell="since"]').removeAttribute("data-since");
    // The link does no harm, whatever key comes next.
    if (row.contains(document.activeElement)) row.querySelector("th a")?.focus();
    for (const one of row.querySelectorAll("button, input")) one.disabled = true;
    this.sweep();
  }

  /** Take away rows that have gone, unless that would move others from under a pointer. */
  sweep() {
    clearTimeout(this.sweeping);
    if (this.gone.size === 0) return;
    const left = this.touched + STAYS - performance.now();
    if (this.body.matches(":hover") || left > 0) {
      this.sweeping = setTimeout(() => this.sweep(), Math.max(left, STAYS / 10));
      return;
    }
    for (const row of this.gone) this.remove(row);
    this.gone.clear();
    this.showTotal();
  }

  remove(row) {
    // The focus moves from this row to the next one.
    if (row.contains(document.activeElement)) {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      next?.querySelector("th a")?.focus();
    }
    row.remove();
  }

  /** Rows for jobs that have none, as long as there is room. */
  showMore() {
    if (this.rows.size >= Math.min(SHOWN, this.jobs.size)) return;
    for (const [id, job] of this.jobs) {
      if (this.rows.size >= SHOWN) return;
      if (this.rows.has(id)) continue;
      const row = this.template.cloneNode(true);
      row.dataset.job = id;
      this.fill(row, job);
      this.body.append(row);
      this.rows.set(id, row);
    }
  }

  showTotal() {
    const count = this.isWhole ? this.jobs.size : Math.max(this.total, this.jobs.size);
    const what = count === 1 ? "1 job that has" : `${grouped(count)} jobs that have`;
    document.querySelector("[data-jobs-total]").textContent = `${what} not ended`;
    const isEmpty = count === 0 && this.gone.size === 0;
    this.form.hidden = isEmpty;
    document.querySelector("[data-empty]").hidden = !isEmpty;
    const more = this.form.querySelector("[data-jobs-more]");
    if (more) {
      more.hidden = count <= this.rows.size;
      more.textContent = `${grouped(count - this.rows.size)} more are not shown`;
    }
  }

  // A row

  fill(row, job) {
    const cell = (name) => row.querySelector(`[data-cell="${name}"]`);
    const tick = cell("tick")?.querySelector("input");
    if (tick) {
      tick.value = job.id;
      tick.setAttribute("aria-label", `Select ${job.description}`);
    }
    const { sign, word } = job.cancelled === null ? JOB_STATES[job.state] : { sign: "failed", word: "cancelling" };
    cell("state").replaceChildren(state(sign, word));
    this.fillJob(cell("job"), job);
    cell("level").textContent = job.level ?? "";
    const since = cell("since");
    since.dataset.since = job.started ?? job.created;
    since.textContent = duration(secondsSince(since.dataset.since));
    cell("wait").textContent = waits(job);
    this.fillActions(cell("actions"), job);
  }

  fillJob(cell, job) {
    const link = cell.querySelector("a");
    if (link?.textContent === job.description) return; // it may have the focus
    cell.replaceChildren(
      element("a", { href: path(job.id) }, job.description),
      element("span", { class: "why mono" }, job.id),
      ...labelsOf(job),
    );
  }

  fillActions(cell, job) {
    const wanted = [];
    const waiting = job.cancelled === null && job.state === "waiting-for-confirmation";
    if (waiting && this.may.has("admin")) wanted.push(["approve", "Approve", "small"]);
    if (job.cancelled === null && this.may.has("builder")) {
      wanted.push(["cancel", "Cancel", "small danger"]);
    }
    const shown = [...cell.querySelectorAll("button")].map((one) => one.textContent);
    if (shown.join() === wanted.map(([, text]) => text).join()) return;
    const buttons = wanted.map(([act, text, look]) =>
      element("button", { class: look, formaction: `${path(job.id)}/${act}` }, text),
    );
    cell.replaceChildren(element("div", { class: "row-actions" }, ...buttons));
  }
}

/** A job as it is now, with the place in the queue that was read last. */
function placed(job, before) {
  const same = job.wait?.reason === "queue" && before.wait?.reason === "queue" && job.wait.pool === before.wait.pool;
  return same && job.wait.place === null ? { ...job, wait: before.wait } : job;
}

/** The filter of the page, as the API takes it; null if it has none. */
function filterOf(query) {
  const [stage, label, after] = ["path", "label", "after"].map((name) => query.get(name)?.trim() ?? "");
  if (!stage && !label && !after) return null;
  return { ...(stage && { path: stage }), ...(label && { label: label.split(/\s+/) }), ...(after && { after }) };
}

function labelsOf({ labels }) {
  const pairs = Object.entries(labels);
  if (pairs.length === 0) return [];
  const links = pairs.flatMap(([label, value]) => {
    const href = `/items?${new URLSearchParams({ label, value })}`;
    return [" ", element("a", { href }, `${label}=${value}`)];
  });
  return [element("span", { class: "muted" }, ...links)];
}

function path(id) {
  return `/job/${id.split("/").map(encodeURIComponent).join("/")}`;
}

function waits({ cancelled, wait }) {
  if (cancelled !== null) return `its end: ${cancelled}`;
  if (wait === null) return "";
  if (wait.reason === "confirmation") return `confirmation (its level is ${wait.level})`;
  if (wait.reason === "pause") return `${wait.what} to be resumed (${wait.words})`;
  const place = wait.place === null ? "" : `, place ${wait.place} in the queue`;
  return `pool ${wait.pool}${place}`;
}

const body = document.querySelector("[data-jobs]");
if (body) new Jobs(body);
