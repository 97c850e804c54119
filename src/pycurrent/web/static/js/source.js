// The stream of events as a page sees it: that of the worker which all tabs share, where browsers have
// such workers, or else its own.

const { streams, user, may } = document.body.dataset; // the address of the worker, and the reader

/** The reader, as the worker tells them apart. */
export const reader = `${user} ${may}`;

let port = null;
let isUsable = streams !== undefined && "SharedWorker" in window;

/** Events after the one with this id, null: from now on; like an `EventSource`. */
export function open(address, after) {
  if (!isUsable) {
    const query = after === null ? "" : `${address.includes("?") ? "&" : "?"}after=${encodeURIComponent(after)}`;
    return new EventSource(`${address}${query}`);
  }
  return new SharedSource(address, after);
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
  constructor(address, after) {
    super();
    this.readyState = EventSource.CONNECTING;
    this.listener = ({ data: event }) => this.take(event);
    connection().addEventListener("message", this.listener);
    port.postMessage({ reader, address: new URL(address, location.href).href, after });
    document.addEventListener("worker:lost", (this.lost = () => this.take({ name: "error", isOver: true })));
  }

  take({ name, data, id, isOver }) {
    if (name === "open") this.readyState = EventSource.OPEN;
    if (name === "error") this.readyState = isOver ? EventSource.CLOSED : EventSource.CONNECTING;
    if (name === "notify" || name === "watched") return; // see `follow.js`
    const isOwn = name === "open" || name === "error";
    this.dispatchEvent(isOwn ? new Event(name) : new MessageEvent(name, { data, lastEventId: id }));
  }

  close() {
    this.readyState = EventSource.CLOSED;
    port.removeEventListener("message", this.listener);
    document.removeEventListener("worker:lost", this.lost);
    port.postMessage({ address: null });
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
