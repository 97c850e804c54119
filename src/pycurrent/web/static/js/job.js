// The page of a job: its log, and everything else as the server shows it, fetched again whenever the
// job changes state.

import { openLog } from "./log.js";
import { live } from "./live.js";
import { refresh } from "./parts.js";

/** Bring the page up to date when the job with this id changes. */
function follow(id) {
  let refreshing = false;
  let again = false;
  const update = async () => {
    again = true;
    if (refreshing) return;
    refreshing = true;
    while (again) {
      again = false;
      await refresh();
    }
    refreshing = false;
  };
  live.on("jobs", (jobs) => id in jobs && update());
  live.on("reset", update);
  // Catch up with changes between the making of the page and the first event.
  live.on("open", update);
}

const section = document.querySelector("[data-log]");
if (section) {
  openLog(section);
  if (section.dataset.active === "true") follow(section.dataset.job);
}
