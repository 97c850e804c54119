// The events of the engine, as they happen: one stream for the whole page.
//
// A browser keeps at most six connections to one host, for all of its tabs together. So tabs share a
// stream (see `source.js`), and a hidden page closes its own, and continues without a gap after the
// last event it has seen, once it is visible again.

import { PATIENCE, address } from "./api.js";
import { open as openSource } from "./source.js";

const NAMES = ["states", "structure", "jobs", "confirm", "overview", "reset"];
const OPEN = "open"; // ours: the stream has begun, or begun again
const LOST = "lost"; // ours: it has ended, and is tried again
const LATE = "late"; // ours: it has not begun for a while
const RETRY = 2000; // milliseconds, after an answer that was no stream

class Live {
  constructor() {
    this.listeners = new Map([...NAMES, OPEN, LOST, LATE].map((name) => [name, new Set()]));
    this.source = null;
    this.last = null;
    this.window = [];
    this.wanted = false;
    this.followed = false;
    this.timer = 0;
    this.patience = 0;
    document.addEventListener("visibilitychange", () => this.attend());
    // A page that is kept for "back" is as good as hidden.
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", () => this.attend());
  }

  /**
   * Call `listener(data)` for events of this name; `open` when the stream begins, `lost` each time
   * that it fails, `late` when it has not begun for a while.
   */
  on(name, listener) {
    this.listeners.get(name).add(listener);
    if (name === OPEN && this.source?.readyState === EventSource.OPEN) listener({});
    return this;
  }

  /** Begin, after the event with this id; the first one who asks says from where. */
  start(after = null) {
    if (this.wanted) return;
    this.wanted = true;
    this.last = after;
    this.attend();
  }

  /**
   * Begin after the event with this id, with the events that concern the part of the diagram that
   * these parameters stand for. For another part the stream begins again, from there.
   */
  look(window, after) {
    const isOther = String(window) !== String(this.window);
    this.window = window;
    if (this.wanted && isOther) {
      this.close();
      this.last = after;
      this.attend();
    }
    this.start(after);
  }

  /**
   * Keep something up to date by the events of a name: `replace(data)` with what `read()` gives,
   * at first and after each gap, and `apply(change)` for each event since. Returns a function that
   * has it read again after `pause` milliseconds, once for all calls in between.
   */
  keep(name, { read, replace, apply, pause }) {
    let pending = null; // events that came during a read: they may be newer or older than it
    let again = false; // whether another read has been asked for meanwhile
    let timer = 0;
    const begin = async () => {
      if (pending !== null) {
        again = true;
        return;
      }
      pending = [];
      do {
        again = false;
        const data = await read().catch(() => null);
        if (data !== null) replace(data);
      } while (again);
      const late = pending;
      pending = null;
      late.forEach(apply);
    };
    this.on(name, (change) => {
      if (pending !== null) pending.push(change);
      else apply(change);
    });
    this.on("reset", begin);
    begin();
    return () => {
      timer ||= setTimeout(() => {
        timer = 0;
        begin();
      }, pause);
    };
  }

  attend() {
    if (document.hidden || !this.wanted) this.close();
    else if (this.source === null) this.open();
  }

  open() {
    clearTimeout(this.timer);
    // Without an id to go on from, what has happened since the stream was closed is not known.
    if (this.followed && this.last === null) this.tell("reset", {});
    this.followed = true;
    const query = new URLSearchParams(this.window);
    const source = (this.source = openSource(`${address("/events")}?${query}`, this.last));
    for (const name of NAMES) {
      source.addEventListener(name, (event) => {
        // Of the events that come together only the last one has an id of its own.
        if (event.lastEventId) this.last = event.lastEventId;
        this.tell(name, JSON.parse(event.data));
      });
    }
    this.patience = setTimeout(() => this.tell(LATE, {}), PATIENCE);
    source.addEventListener("open", () => {
      clearTimeout(this.patience);
      this.tell(OPEN, {});
    });
    source.addEventListener("error", () => {
      clearTimeout(this.patience);
      this.tell(LOST, {});
      // The browser reconnects after a cut connection, but not after an error as the answer.
      if (source.readyState === EventSource.CLOSED && this.source === source) {
        this.close();
        this.timer = setTimeout(() => this.attend(), RETRY);
      }
    });
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.patience);
    this.source?.close();
    this.source = null;
  }

  tell(name, data) {
    for (const listener of this.listeners.get(name)) listener(data);
  }
}

export const live = new Live();
