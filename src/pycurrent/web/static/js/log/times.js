// The times at which lines were written, as far as they are known: lines of the engine say so, and
// lines that arrived while the page was open were written then.

const STAMP = /^(\d{4}-\d\d-\d\d) (\d\d):(\d\d)\.(\d\d): /; // in UTC

export class Times {
  constructor() {
    this.stamps = new Map(); // line: milliseconds
    this.arrivals = []; // [line, milliseconds or null]: from this line on
  }

  /** Note what a line says of itself. */
  read(line, text) {
    const found = STAMP.exec(text);
    if (found) {
      const [, day, hour, minute, second] = found;
      this.stamps.set(line, Date.parse(`${day}T${hour}:${minute}:${second}Z`));
    }
  }

  /** Lines from this one on came at this time, or (null) nobody knows when. */
  arrived(line, time) {
    const last = this.arrivals.at(-1) ?? [-1, null];
    // A line that comes again, as it had not ended, came when its beginning did.
    if (line <= last[0]) return;
    const differs = time === null || last[1] === null ? time !== last[1] : time - last[1] >= 1000;
    if (differs) this.arrivals.push([line, time]);
  }

  /** In milliseconds since 1970; null if it is not known. */
  of(line) {
    return this.stamps.get(line) ?? this.arrival(line);
  }

  arrival(line) {
    let [low, high] = [0, this.arrivals.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.arrivals[middle][0] <= line) low = middle + 1;
      else high = middle;
    }
    return low > 0 ? this.arrivals[low - 1][1] : null;
  }
}

/** How times can be shown. */
export const STYLES = { none: "No times", clock: "Clock", elapsed: "Since the start" };

/** A time in one of the styles; `start` is when the job began, in milliseconds, or null. */
export function shown(time, style, start) {
  if (time === null) return "";
  if (style === "clock" || start === null) return new Date(time).toLocaleTimeString("en-GB");
  const seconds = Math.max(0, Math.round((time - start) / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = `${String(minutes).padStart(hours ? 2 : 1, "0")}:${String(seconds % 60).padStart(2, "0")}`;
  return `+${hours ? `${hours}:` : ""}${rest}`;
}
