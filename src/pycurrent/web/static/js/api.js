// Calls the API of the site that this page comes from.

import { heed } from "./clock.js";

const ROOT = "/api/v1";

/**
 * Milliseconds within which a stream should begin. It may have to wait until another page gives a
 * connection back, which the browser does not tell.
 */
export const PATIENCE = 5000;

/** The reason why a request was refused (RFC 9457); status 0: the engine could not be reached. */
export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.name = "Problem";
    this.status = status;
    this.title = title;
  }

  /** True if another attempt may succeed. */
  get isPassing() {
    return this.status === 0 || this.status >= 500;
  }
}

/** The path of a job in the API. Its id keeps its slash. */
export function jobPath(id, rest = "") {
  return `/jobs/${id.split("/").map(encodeURIComponent).join("/")}${rest}`;
}

/** An address in the API, with the entries of `query` that are not null; lists give several. */
export function address(path, query = {}) {
  const given = Object.entries(query)
    .filter(([, value]) => value !== null && value !== undefined)
    .flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  const text = new URLSearchParams(given).toString();
  return `${ROOT}${path}${text ? `?${text}` : ""}`;
}

/** Get the JSON at a path. Throws `Problem`. */
export async function get(path, query = {}, { signal } = {}) {
  return read(await sent(address(path, query), { signal }));
}

/** Ask for an action. Throws `Problem`. */
export async function post(path, body = undefined) {
  return read(await sent(address(path), changing("POST", body)));
}

export async function put(path, body) {
  return read(await sent(address(path), changing("PUT", body)));
}

/** The header that shows that a request comes from one of our pages. */
export function formToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

function changing(method, body) {
  const headers = { "X-CSRF-Token": formToken(), "Content-Type": "application/json" };
  return { method, headers, body: JSON.stringify(body ?? {}) };
}

async function sent(url, options) {
  try {
    const response = await fetch(url, { ...options, credentials: "same-origin" });
    heed(response);
    return response;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "Not reachable", "the engine can't be reached");
  }
}

async function read(response) {
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  throw new Problem(response.status, problem.title ?? response.statusText, problem.detail);
}
