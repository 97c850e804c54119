// Shares the streams of events among the tabs of a browser, which keeps at most six connections to one host: a
// worker that all tabs have in common. Tabs that look at the same part of the pipeline have one
// stream; a tab that comes later is sent what it has missed. It also watches what the reader follows, so that
// one tab tells of it, whether it is hidden or not.

import { Watch } from "./watch.js";

const KEPT = 2000; // events of a stream that a tab which comes again may have missed
const RETRY = 2000; // milliseconds, after an answer that was no stream
const NAMES = ["states", "structure", "jobs", "confirm", "overview", "reset"];

const streams = new Map(); // by readers and addresses, without the event to begin after

/** The number in the id of an event, and the engine that it is of. */
function parsed(id) {
  const at = id.lastIndexOf("-");
  return { engine: id.slice(0, at), number: Number(id.slice(at + 1)) };
}

class Stream {
  constructor(key, address, after) {
    this.key = key;
    this.tabs = new Set();
    this.kept = []; // the last events
    this.first = after; // the id of the event before those; null if it is not known
    this.last = after;
    const query = after === null ? "" : `${address.includes("?") ? "&" : "?"}after=${encodeURIComponent(after)}`;
    this.source = new EventSource(`${address}${query}`);
    for (const name of NAMES) this.source.addEventListener(name, (event) => this.take(name, event));
    this.source.addEventListener("open", () => this.tell({ name: "open" }));
    this.source.addEventListener("error", () => {
      const isOver = this.source.readyState === EventSource.CLOSED;
      if (isOver && streams.get(this.key) === this) streams.delete(this.key);
      this.tell({ name: "error", isOver });
    });
  }

  take(name, { data, lastEventId: id }) {
    // Of the events that come together only the last one has an id of its own; the others have that before.
    const event = { name, data, id, after: this.last };
    if (name === "reset") {
      this.kept = [];
      this.first = id;
    } else if (this.first !== null) {
      this.kept.push(event);
      while (this.kept.length > KEPT) this.kept.shift();
      this.first = this.kept[0].after;
    } else if (this.last !== null && id !== this.last) {
      this.first = id; // Only now it is known that all that came with it were seen.
    }
    this.last = id;
    this.tell(event);
  }

  tell(event) {
    for (const tab of this.tabs) tab.postMessage(event);
  }

  /** A tab follows it from now on, and has seen all up to an event; null: it has asked nothing yet. */
  join(tab, after) {
    if (this.source.readyState === EventSource.OPEN) tab.postMessage({ name: "open" });
    this.tabs.add(tab);
    if (after !== null && after !== this.last) this.replay(tab, parsed(after));
  }

  replay(tab, seen) {
    const first = this.first === null ? null : parsed(this.first);
    if (first === null || first.engine !== seen.engine || seen.number < first.number) {
      tab.postMessage({ name: "reset", data: "{}", id: this.last ?? "" });
      return;
    }
    for (const event of this.kept) {
      if (parsed(event.after).number >= seen.number) tab.postMessage(event);
    }
  }

  leave(tab) {
    this.tabs.delete(tab);
    if (this.tabs.size > 0) return;
    this.source.close();
    if (streams.get(this.key) === this) streams.delete(this.key);
  }
}

/** The stream of a reader at an address, which is begun if there is none. */
function streamOf(reader, address, after) {
  const key = `${reader} ${address}`;
  let stream = streams.get(key);
  if (stream === undefined) {
    stream = new Stream(key, address, after);
    streams.set(key, stream);
  }
  return stream;
}

const tabs = new Set(); // the one that was heard last at the end
let reader = "";
const watch = new Watch(tabs, (listener) => {
  const address = new URL("/api/v1/events?", location.href).href;
  let stream = null;
  const follower = { postMessage: ({ isOver }) => (isOver ? setTimeout(join, RETRY) : listener()) };
  const join = () => {
    stream?.leave(follower);
    stream = streamOf(reader, address, null);
    stream.join(follower, null);
  };
  join();
  return () => stream.leave(follower);
});

onconnect = ({ ports: [tab] }) => {
  let stream = null;
  tab.onmessage = ({ data }) => {
    if (data.address !== null) {
      tabs.delete(tab);
      tabs.add(tab);
    }
    if (data.told !== undefined) watch.told(data.told);
    if (data.followed !== undefined) {
      ({ reader } = data);
      watch.follow(data.followed);
    }
    if (data.address === undefined) return;
    stream?.leave(tab);
    stream = null;
    if (data.address === null) return;
    stream = streamOf(data.reader, data.address, data.after);
    stream.join(tab, data.after);
  };
};
