// Shares the streams of events among the tabs of a browser, which keeps at most six connections to one host: a
// worker that all tabs have in common. Tabs that look at the same part of the pipeline have one
// stream; a tab that comes later is sent what it has missed. Logs have one for each tab. All of them come over one
// connection (see `connection.js`). The worker also watches what the reader follows, so that one tab tells of
// it, whether it is hidden or not.

import { Channel } from "./connection.js";
import { Watch } from "./watch.js";

const KEPT = 2000; // events of a stream that a tab which comes again may have missed
const RETRY = 2000; // milliseconds, after an answer that was no stream

const streams = new Map(); // by readers and addresses, without the event to begin after

/** The number in the id of an event, and the engine that it is of. */
function parsed(id) {
  const at = id.lastIndexOf("-");
  return { engine: id.slice(0, at), number: Number(id.slice(at + 1)) };
}

class Stream {
  constructor(reader, key, address, after) {
    this.key = key;
    this.followers = new Set();
    this.kept = []; // the last events
    this.first = after; // the id of the event before those; null if it is not known
    this.last = after;
    this.channel = new Channel(reader, address, "after", after, this);
  }

  open() {
    this.tell({ name: "open" });
  }

  fail({ isOver }) {
    if (isOver && streams.get(this.key) === this) streams.delete(this.key);
    this.tell({ name: "error", isOver });
  }

  take(name, data, id) {
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
    for (const follower of this.followers) follower.postMessage(event);
  }

  /** One follows it from now on, and has seen all up to an event; null: it has asked nothing yet. */
  join(follower, after) {
    if (this.channel.isOpen) follower.postMessage({ name: "open" });
    this.followers.add(follower);
    if (after !== null && after !== this.last) this.replay(follower, parsed(after));
  }

  replay(follower, seen) {
    const first = this.first === null ? null : parsed(this.first);
    if (first === null || first.engine !== seen.engine || seen.number < first.number) {
      follower.postMessage({ name: "reset", data: "{}", id: this.last ?? "" });
      return;
    }
    for (const event of this.kept) {
      if (parsed(event.after).number >= seen.number) follower.postMessage(event);
    }
  }

  leave(follower) {
    this.followers.delete(follower);
    if (this.followers.size > 0) return;
    this.channel.close();
    if (streams.get(this.key) === this) streams.delete(this.key);
  }
}

/** The growing log of one tab. */
class Log {
  constructor(reader, address, after) {
    this.channel = new Channel(reader, address, "from", after, this);
  }

  open() {
    this.follower.postMessage({ name: "open" });
  }

  take(name, data, id) {
    this.follower.postMessage({ name, data, id });
  }

  fail({ isOver }) {
    this.follower.postMessage({ name: "error", isOver });
  }

  join(follower) {
    this.follower = follower;
  }

  leave() {
    this.channel.close();
  }
}

/** The stream of a reader at an address, which is begun if there is none. */
function streamOf(reader, address, after) {
  const key = `${reader} ${address}`;
  let stream = streams.get(key);
  if (stream === undefined) {
    stream = new Stream(reader, key, address, after);
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

function begun({ reader, address, after, isLog }, follower) {
  const stream = isLog ? new Log(reader, address, after) : streamOf(reader, address, after);
  stream.join(follower, after);
  return stream;
}

onconnect = ({ ports: [tab] }) => {
  const followed = new Map(); // streams and followers, by the numbers that the tab gives them
  const leave = (source) => {
    const { stream, follower } = followed.get(source) ?? {};
    followed.delete(source);
    stream?.leave(follower);
  };
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
    const { source } = data;
    leave(source);
    if (data.address === null) return;
    const follower = { postMessage: (event) => tab.postMessage({ ...event, source }) };
    followed.set(source, { stream: begun(data, follower), follower });
  };
};
