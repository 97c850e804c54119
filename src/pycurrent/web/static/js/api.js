// Calls of the API of the site that this page is from.

import { heed } from "./clock.js";

const ROOT = "/api/v1";

/** Why a request was refused (RFC 9457), or that the engine could not be reached: status 0. */
export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.name = "Problem";
    this.status = status;
    this.title = title;
  }

  /** Whether it may be different the next time. */
  get isPassing() {
    return this.status === 0 || this.status >= 500;
  }
}

/** The path of a job in the API. Its id keeps its slash. */
export function jobPath(id, rest = "") {
  return `/jobs/${id.split("/").map(encodeURIComponent).join("/")}${rest}`;
}

/** The address of something in the API, with what of `query` is not null. */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const text = new URLSearchParams(given).toString();
  return `${ROOT}${path}${text ? `?${text}` : ""}`;
}

/** What there is at a path, from JSON. Throws `Problem`. */
export async function get(path, query = {}, { signal } = {}) {
  return read(await sent(address(path, query), { signal }));
}

/** Have something done. Throws `Problem`. */
export async function post(path, body = undefined) {
  return read(await sent(address(path), changing("POST", body)));
}

export async function put(path, body) {
  return read(await sent(address(path), changing("PUT", body)));
}

/** What a page has to bring along to show that it is ours. */
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
