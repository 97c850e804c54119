// Searches the whole log, on the server, not only the lines in the page.

import { get, jobPath } from "../api.js";
import { grouped } from "../numbers.js";

const LIMIT = 1000; // matches at a time

/** Patterns for the first error of a log: as compilers and test runners put it, or, if there is
 *  no such line, any line that mentions one.
 */
const ERRORS = [
  String.raw`(?i:\b(?:fatal|fatal error|error|exception|panic(?:ked)?|failure)(?:\[\w+\])?\s*[:!])` +
    String.raw`|Traceback \(most recent call last\)|\b\w+(?:Error|Exception)\b|\bFAILED\b|^E {3}` +
    String.raw`|\bERR!|\bSegmentation fault\b`,
  String.raw`(?i)\b(?:error|failed|failure|fatal|exception|cannot|can't|not found|denied)\b`,
];

/** Tells by `change` that there is something else to show. */
export class Search extends EventTarget {
  constructor(lines) {
    super();
    this.lines = lines;
    this.clear();
  }

  clear() {
    this.stop?.abort();
    this.query = null;
    this.matches = []; // numbers of lines, in order
    this.found = new Set();
    this.index = -1;
    this.next = 0; // where to go on to look; null at the end of the log
    this.looked = 0; // up to which line
    this.problem = null;
    this.dispatchEvent(new Event("change"));
  }

  /** The line that is looked at; null if none is. */
  get current() {
    return this.matches[this.index] ?? null;
  }

  /** The message for the reader. */
  get summary() {
    if (this.problem !== null) return this.problem.message;
    if (this.query === null) return "";
    if (this.matches.length === 0) return this.next === null ? "nothing found" : "…";
    const more = this.next === null ? "" : "+";
    return `${this.index + 1} of ${grouped(this.matches.length)}${more}`;
  }

  /** Look for something from the beginning on, and go to the first match at or after `near`. */
  async begin(text, syntax, near) {
    this.clear();
    if (text === "") return;
    this.query = { text, syntax };
    this.stop = new AbortController();
    await this.look();
    const at = this.matches.findIndex((number) => number >= near);
    this.index = this.matches.length ? Math.max(0, at) : -1;
    this.dispatchEvent(new Event("change"));
  }

  /** Go `by` matches on; beyond the last one to the first, unless more have been written. */
  async step(by) {
    if (this.query === null) return;
    const beyond = this.index + by >= this.matches.length;
    if (this.next === null && this.lines.total > this.looked) this.next = this.looked;
    if (beyond && this.next !== null) await this.look();
    const count = this.matches.length;
    if (count) this.index = (this.index + by + count) % count;
    this.dispatchEvent(new Event("change"));
  }

  async look() {
    const { text, syntax } = this.query;
    const query = { q: text, syntax, from: this.next, limit: LIMIT };
    const { complete } = this.lines; // lines after these may change
    try {
      const answer = await get(jobPath(this.lines.job, "/log/search"), query, this.stop);
      for (const { number } of answer.matches) {
        if (this.found.has(number)) continue;
        this.found.add(number);
        this.matches.push(number);
      }
      this.looked = complete;
      this.next = answer.next;
    } catch (error) {
      if (error.name !== "AbortError") this.problem = error;
    }
  }

  /** The places of the searched text in a line; none for patterns, which only the server knows. */
  ranges(line) {
    if (this.query === null || this.query.syntax !== "text") return [];
    const wanted = this.query.text.toLowerCase();
    const low = line.toLowerCase();
    if (low.length !== line.length) return []; // places would not be the same
    const found = [];
    for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, at + wanted.length)) {
      found.push([at, at + wanted.length]);
    }
    return found;
  }
}

/** The line of the first error of a log; null if there is none. Throws `Problem`. */
export async function firstError(job) {
  for (const q of ERRORS) {
    const query = { q, syntax: "pattern", limit: 1 };
    const { matches } = await get(jobPath(job, "/log/search"), query);
    if (matches.length) return matches[0].number;
  }
  return null;
}
