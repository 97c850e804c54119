// The page of a stage, or of an item, as the server shows it, fetched again when something may have changed. The
// events name jobs and count stages: so it asks after each, but not too often.

import { live } from "./live.js";
import { refresh } from "./parts.js";

const PAUSE = 2000; // milliseconds between two fetches, at least
const PART = 10; // of the time, one part in so many is spent on fetches

let timer = 0;
let again = false;

async function update() {
  if (timer !== 0) {
    again = true;
    return;
  }
  timer = -1;
  again = false;
  const began = performance.now();
  await refresh();
  const pause = Math.max(PAUSE, PART * (performance.now() - began));
  timer = setTimeout(() => {
    timer = 0;
    if (again) update();
  }, pause);
}

for (const name of ["jobs", "overview", "reset", "open"]) live.on(name, update);
