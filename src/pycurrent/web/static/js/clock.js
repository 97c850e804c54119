// The engine's time: the reader's clock may differ by any amount.

const NEAR = 2000; // milliseconds: answers tell the time in whole seconds, and take a while

let ahead = atLoading(); // of the reader's clock, in milliseconds

/** Milliseconds since 1970. */
export function now() {
  return Date.now() + ahead;
}

/** How long ago something was, in seconds. */
export function secondsSince(time) {
  return (now() - Date.parse(time)) / 1000;
}

/** Note the time of an answer. The reader's clock may have been set meanwhile. */
export function heed(response) {
  const time = Date.parse(response.headers.get("Date") ?? "");
  if (Math.abs(time - now()) > NEAR) ahead = time - Date.now();
}

/** From the time in the page, which was made when its first byte arrived. */
function atLoading() {
  const made = Date.parse(document.querySelector('meta[name="time"]')?.content ?? "");
  const [navigation] = performance.getEntriesByType("navigation");
  const arrived = performance.timeOrigin + (navigation?.responseStart ?? 0);
  return Number.isNaN(made) ? 0 : made - arrived;
}
