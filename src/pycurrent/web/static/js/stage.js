// The page of a stage, as the server shows it, fetched again when something may have changed. The
// events name jobs and count stages: so it asks after each, but not too often.

import { live } from "./live.js";
import { refresh } from "./parts.js";

const PAUSE = 2000; // milliseconds between two fetches

let timer = 0;
let again = false;

async function update() {
  if (timer !== 0) {
    again = true;
    return;
  }
  timer = setTimeout(() => {
    timer = 0;
    if (again) update();
  }, PAUSE);
  again = false;
  await refresh();
}

for (const name of ["jobs", "overview", "reset", "open"]) live.on(name, update);
