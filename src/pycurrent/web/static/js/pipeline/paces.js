// How long the last runs of stages took, and whether that is more or less than usual: asked for as far as
// the stages are seen, many at once, and again when a stage has another job.

import { get } from "../api.js";

const PAUSE = 300; // milliseconds in which what is wanted is gathered
const MOST = 50; // stages in a request
const LONGEST = 6000; // characters of their paths in a request
const KEPT = 20_000; // stages
const WORDS = { slower: "slower than usual", faster: "faster than usual" };
const SIGNS = { slower: "▲", faster: "▼" };
const UNITS = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
];

export class Paces {
  /** `changed(boxes)` is called when the paces of boxes have become known. */
  constructor(changed) {
    this.changed = changed;
    this.known = new Map(); // by the paths of stages: `{job, pace}`
    this.wanted = new Map(); // boxes by their paths
    this.timer = 0;
  }

  /** `{took, usual, trend}` of the last run of a stage; null if there is none, or it is not known yet. */
  of(box) {
    if (box.stage === null || box.jobId === null || box.isBusy) return null;
    const found = this.known.get(box.stage);
    if (found?.job === box.jobId) return found.pace;
    this.wanted.set(box.stage, box);
    this.timer ||= setTimeout(() => this.ask(), PAUSE);
    return null;
  }

  async ask() {
    const boxes = this.take();
    const jobs = boxes.map(({ jobId }) => jobId);
    const found = await get("/paces", { path: boxes.map(({ stage }) => stage) }).catch(() => null);
    this.timer = this.wanted.size > 0 ? setTimeout(() => this.ask(), PAUSE) : 0;
    if (found === null) return; // It is asked for again with the next change.
    boxes.forEach(({ stage }, at) => {
      const pace = found.paces[stage] ?? null;
      // A pace of another job says nothing about this one.
      this.known.set(stage, { job: jobs[at], pace: pace?.job_id === jobs[at] ? pace : null });
    });
    while (this.known.size > KEPT) this.known.delete(this.known.keys().next().value);
    this.changed(boxes);
  }

  /** As many of those that are wanted as fit into a request. */
  take() {
    const boxes = [];
    let length = 0;
    for (const [path, box] of this.wanted) {
      length += encodeURIComponent(path).length + 6;
      if (boxes.length === MOST || (boxes.length > 0 && length > LONGEST)) break;
      boxes.push(box);
      this.wanted.delete(path);
    }
    return boxes;
  }
}

/** As short as there is room for in a cell: `4 s`, `12 min`, `3 h`. */
export function brief(seconds) {
  for (const [size, name] of UNITS) {
    if (seconds >= 1.5 * size) return `${Math.round(seconds / size)} ${name}`;
  }
  return seconds < 0.95 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

/** The words for a pace: `took 12 min, slower than usual (5 min)`. */
export function wordsOf({ took, usual, trend }) {
  const words = WORDS[trend];
  return `took ${brief(took)}${words === undefined ? "" : `, ${words} (${brief(usual)})`}`;
}

export function signOfTrend(trend) {
  return SIGNS[trend] ?? "";
}
