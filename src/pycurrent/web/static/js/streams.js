// Shares the streams of events among the tabs of a browser, which keeps at most six connections to one host: a
// worker that all tabs have in common. Tabs that look at the same part of the pipeline have one
// stream; a tab that comes later is sent what it has missed.

const KEPT = 2000; // events of a stream that a tab which comes again may have missed
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

onconnect = ({ ports: [tab] }) => {
  let stream = null;
  tab.onmessage = ({ data: { reader, address, after } }) => {
    stream?.leave(tab);
    stream = null;
    if (address === null) return;
    const key = `${reader} ${address}`;
    stream = streams.get(key) ?? null;
    if (stream === null) {
      stream = new Stream(key, address, after);
      streams.set(key, stream);
    }
    stream.join(tab, after);
  };
};
