// In the worker that all tabs share: the streams that they follow, over as few connections as can be. A
// connection is begun again when a stream joins or leaves it; each stream then goes on after the last
// event that it has seen.

const NAMES = ["states", "structure", "jobs", "confirm", "overview", "reset", "lines", "end"];
const ROOT = "/api/v1";
const MOST = 100; // streams of one connection, as the API allows
const LONGEST = 6000; // characters of an address, unless one stream takes more: proxies refuse long ones
const RETRY = 1000; // milliseconds after which a lost connection is tried again

const connections = new Map(); // by readers, lists

/** A stream of events at an address: `listener` has `open`, `take(name, data, id)`, `fail({isOver})`. */
export class Channel {
  constructor(reader, address, parameter, after, listener) {
    const url = new URL(address);
    this.path = url.pathname.slice(ROOT.length);
    this.query = url.searchParams;
    this.parameter = parameter; // the one that says after which event to begin
    this.after = after; // the id of the last event; null if it is not known
    this.listener = listener;
    this.isOpen = false;
    this.connection = connectionFor(reader, this);
    this.connection.add(this);
  }

  /** Where the stream goes on. */
  get address() {
    const query = new URLSearchParams(this.query);
    if (this.after !== null) query.set(this.parameter, this.after);
    return query.size > 0 ? `${this.path}?${query}` : this.path;
  }

  begun(id) {
    this.after = id;
    if (this.isOpen) return;
    this.isOpen = true;
    this.listener.open();
  }

  /** An event that comes together with others may have no id of its own: then it has that before. */
  take(name, data, id) {
    if (id !== "") this.after = id;
    this.listener.take(name, data, this.after);
  }

  fail({ isOver }) {
    this.isOpen = false;
    this.listener.fail({ isOver });
  }

  close() {
    this.connection.remove(this);
  }
}

class Connection {
  constructor() {
    this.channels = new Set();
    this.source = null;
    this.timer = 0;
  }

  get length() {
    return [...this.channels].reduce((sum, channel) => sum + parameter(channel).length, 0);
  }

  hasRoomFor(channel) {
    if (this.channels.size === 0) return true;
    return this.channels.size < MOST && this.length + parameter(channel).length <= LONGEST;
  }

  add(channel) {
    this.channels.add(channel);
    this.renewIn(0);
  }

  remove(channel) {
    if (this.channels.delete(channel)) this.renewIn(0);
  }

  renewIn(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.renew(), milliseconds);
  }

  renew() {
    this.source?.close();
    this.source = null;
    if (this.channels.size === 0) return;
    const asked = [...this.channels];
    const source = (this.source = new EventSource(`${ROOT}/streams?${asked.map(parameter).join("&")}`));
    let current = null; // the channel that the next events are of
    const on = (name, listener) =>
      source.addEventListener(name, (event) => {
        if (source === this.source) listener(event);
      });
    on("begun", ({ data, lastEventId: id }) => asked[Number(data)].begun(id));
    on("of", ({ data }) => {
      const channel = asked[Number(data)];
      current = this.channels.has(channel) ? channel : null;
    });
    for (const name of NAMES) on(name, ({ data, lastEventId: id }) => current?.take(name, data, id));
    on("over", ({ data }) => {
      const { stream, status } = JSON.parse(data);
      const channel = asked[stream];
      if (!this.channels.has(channel)) return;
      const isRefused = status !== 200; // The others end with the engine, or as their log does.
      if (isRefused) this.channels.delete(channel);
      channel.fail({ isOver: isRefused });
      this.renewIn(RETRY);
    });
    // We begin it again ourselves: only we know where each stream goes on.
    on("error", () => {
      source.close();
      this.renewIn(RETRY);
      for (const channel of this.channels) channel.fail({ isOver: false });
    });
  }
}

function parameter(channel) {
  return `of=${encodeURIComponent(channel.address)}`;
}

/** One of the reader's that has room. Empty ones stay, to be used again. */
function connectionFor(reader, channel) {
  if (!connections.has(reader)) connections.set(reader, []);
  const all = connections.get(reader);
  let found = all.find((one) => one.hasRoomFor(channel));
  if (found === undefined) all.push((found = new Connection()));
  return found;
}
