// The stream of events as a page sees it: that of the worker which all tabs share, where browsers have
// such workers, or else its own.

const { streams, user, may } = document.body.dataset; // the address of the worker, and the reader

/** The reader, as the worker tells them apart. */
export const reader = `${user} ${may}`;

let port = null;
let opened = 0; // by their numbers the worker tells the sources of a page apart
let isUsable = streams !== undefined && "SharedWorker" in window;

/** Events after the one with this id, null: from now on; like an `EventSource`. */
export function open(address, after) {
  return isUsable ? new SharedSource(address, after) : ownSource(address, "after", after);
}

/** The lines of a growing log from the one with this number on, likewise. */
export function openLog(address, from) {
  return isUsable ? new SharedSource(address, from, { isLog: true }) : ownSource(address, "from", from);
}

function ownSource(address, parameter, after) {
  const url = new URL(address, location.href);
  if (after !== null) url.searchParams.set(parameter, after);
  return new EventSource(url);
}

/** The port to the worker that all tabs share; null where the browser has no such workers. */
export function connection() {
  if (isUsable) port ??= connected();
  return isUsable ? port : null;
}

/** Whether there may be one. It is not begun. */
export function canConnect() {
  return isUsable;
}

class SharedSource extends EventTarget {
  constructor(address, after, { isLog = false } = {}) {
    super();
    this.readyState = EventSource.CONNECTING;
    this.number = opened += 1;
    this.listener = ({ data: event }) => {
      if (event.source === this.number) this.take(event);
    };
    connection().addEventListener("message", this.listener);
    const { href } = new URL(address, location.href);
    port.postMessage({ reader, source: this.number, address: href, after, isLog });
    document.addEventListener("worker:lost", (this.lost = () => this.take({ name: "error", isOver: true })));
  }

  take({ name, data, id, isOver }) {
    if (name === "open") this.readyState = EventSource.OPEN;
    if (name === "error") this.readyState = isOver ? EventSource.CLOSED : EventSource.CONNECTING;
    const isOwn = name === "open" || name === "error";
    this.dispatchEvent(isOwn ? new Event(name) : new MessageEvent(name, { data, lastEventId: id }));
  }

  close() {
    this.readyState = EventSource.CLOSED;
    port.removeEventListener("message", this.listener);
    document.removeEventListener("worker:lost", this.lost);
    port.postMessage({ source: this.number, address: null });
  }
}

function connected() {
  const worker = new SharedWorker(streams, { type: "module", name: "pycurrent" });
  worker.addEventListener("error", () => {
    isUsable = false;
    document.dispatchEvent(new Event("worker:lost"));
  });
  worker.port.start();
  return worker.port;
}
