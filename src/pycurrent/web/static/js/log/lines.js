// The known lines of a log: fetched from the server window by window, and streamed by it while the
// job runs. Lines are numbered from 0 here, and from 1 wherever people see them.

import { PATIENCE, address, get, jobPath } from "../api.js";
import { now } from "../clock.js";
import { openLog } from "../source.js";
import { PLAIN, lookAfter } from "./colours.js";
import { Times } from "./times.js";

export const WINDOW = 500; // as the page of a job asks for in advance
const KEPT = 60; // windows, about 30,000 lines: lines farther away are fetched again
export const RETRY = 2000; // milliseconds between attempts to fetch
const CATCH_UP = 1000; // milliseconds in which the stream sends lines that were written before

/** Tells by events: `lines` have come or changed, `stream` has begun or ended, `problem`. */
export class Lines extends EventTarget {
  constructor(job) {
    super();
    this.job = job;
    this.total = 0;
    this.times = new Times();
    this.error = null;
    this.complete = 0;
    this.markers = 0; // it grows when the log has more groups or annotations
    this.windows = new Map(); // number: its lines, an array with holes; the last used at the end
    this.fetching = new Set();
    this.stream = null;
    this.next = null; // where the stream goes on; null before the end of the log was seen
    this.ended = false;
    this.isLate = false;
    document.addEventListener("visibilitychange", () => this.attend());
    window.addEventListener("pagehide", () => this.detach());
    window.addEventListener("pageshow", () => this.attend());
  }

  /** `{text, cut, look}` of a line, or undefined if it is not here (then see `want`). */
  line(number) {
    return this.windows.get(Math.floor(number / WINDOW))?.[number % WINDOW];
  }

  /** Fetch the end of the log. */
  async fetchEnd() {
    await this.fetch({ count: WINDOW });
  }

  /** Fetch the window that a line is in. */
  async fetchAround(line) {
    await this.fetch({ from: Math.floor(line / WINDOW) * WINDOW, count: WINDOW });
  }

  /** Fetch the missing lines from `first` up to, but not including, `end`. */
  want(first, end) {
    const last = Math.floor((Math.min(end, this.total) - 1) / WINDOW);
    for (let number = Math.floor(Math.max(0, first) / WINDOW); number <= last; number += 1) {
      const from = this.missing(number);
      if (from === null) this.touch(number);
      else if (!this.fetching.has(number)) this.fill(number, from);
    }
  }

  /** The first line of a window that is not here. */
  missing(number) {
    const begin = number * WINDOW;
    const held = this.windows.get(number);
    for (let at = 0; at < WINDOW && begin + at < this.total; at += 1) {
      if (held?.[at] === undefined) return begin + at;
    }
    return null;
  }

  async fill(number, from) {
    this.fetching.add(number);
    try {
      await this.fetch({ from, count: (number + 1) * WINDOW - from });
    } finally {
      this.fetching.delete(number);
    }
  }

  async fetch(query) {
    try {
      const found = await get(jobPath(this.job, "/lines"), query);
      this.error = null;
      this.take(found);
    } catch (error) {
      this.error = error;
      this.dispatchEvent(new Event("problem"));
      // The view asks for missing lines when it shows them.
      if (error.isPassing) setTimeout(() => this.dispatchEvent(new Event("lines")), RETRY);
    }
  }

  /** Follow the log from its end on as far as it is known, until its job has ended. */
  follow() {
    this.next = this.complete;
    if (!document.hidden) this.attach({ upToDate: true });
  }

  attend() {
    if (document.hidden || this.next === null || this.ended) this.detach();
    else if (this.stream === null) this.attach();
  }

  /** `upToDate`: lines that are not here yet were written a moment ago, or are about to be. */
  attach({ upToDate = false } = {}) {
    const stream = (this.stream = openLog(address(jobPath(this.job, "/log/stream")), this.next));
    const patience = setTimeout(() => this.setLate(this.stream === stream), PATIENCE);
    stream.addEventListener("open", () => {
      clearTimeout(patience);
      this.setLate(false);
      setTimeout(() => (upToDate = true), CATCH_UP);
    });
    stream.addEventListener("error", () => {
      clearTimeout(patience);
      upToDate = false;
      if (stream.readyState !== EventSource.CLOSED || this.stream !== stream) return;
      // The browser reconnects after a cut connection, but takes an error as the answer for final.
      this.detach();
      setTimeout(() => this.attend(), RETRY);
    });
    stream.addEventListener("lines", (event) => {
      const found = JSON.parse(event.data);
      this.next = Number(event.lastEventId);
      this.times.arrived(found.first, upToDate ? now() : null);
      upToDate = found.first + found.lines.length >= found.total;
      this.take(found);
    });
    this.dispatchEvent(new Event("stream"));
    stream.addEventListener("end", () => {
      this.ended = true;
      this.detach();
    });
  }

  /** `isLate`: the stream was asked for a while ago, and has not begun. */
  setLate(isLate) {
    if (this.isLate === isLate) return;
    this.isLate = isLate;
    this.dispatchEvent(new Event("stream"));
  }

  detach() {
    if (this.stream === null) return;
    this.stream.close();
    this.stream = null;
    this.isLate = false;
    this.dispatchEvent(new Event("stream"));
  }

  take({ first, lines, style, total, complete, markers }) {
    // The stream may have overtaken this answer, and then we know more already.
    this.total = Math.max(this.total, total);
    this.complete = Math.max(this.complete, complete);
    this.markers = Math.max(this.markers, markers);
    let look = lookAfter(style, PLAIN);
    lines.forEach(({ text, cut }, at) => {
      this.put(first + at, { text, cut, look });
      this.times.read(first + at, text);
      look = lookAfter(text, look);
    });
    this.forget();
    this.dispatchEvent(new Event("lines"));
  }

  put(line, content) {
    const number = Math.floor(line / WINDOW);
    let held = this.windows.get(number);
    if (held === undefined) this.windows.set(number, (held = new Array(WINDOW)));
    held[line % WINDOW] = content;
  }

  touch(number) {
    const held = this.windows.get(number);
    if (held === undefined) return;
    this.windows.delete(number);
    this.windows.set(number, held);
  }

  forget() {
    for (const number of this.windows.keys()) {
      if (this.windows.size <= KEPT) return;
      this.windows.delete(number);
    }
  }
}
