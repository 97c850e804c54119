// How states look: a sign, a word, and (by the sign's name, in the style sheets) a colour.

import { element } from "../dom.js";
import { grouped } from "../numbers.js";
import { SIGNS, STATES, WORDS, rankOf } from "../states.js";

export { SIGNS, STATES, WORDS, rankOf };

export const OK = rankOf("ok");
export const FAILED = rankOf("failed");
export const BLOCKED = rankOf("blocked");

/** The state of most concern with a count above 0; -1 without any. */
export function worstOf(counts) {
  return counts.findIndex((number) => number > 0);
}

/** Counts in words: `2 failed, 10 ok`. */
export function inWords(counts) {
  const parts = [];
  counts.forEach((number, rank) => {
    if (number > 0) parts.push(`${grouped(number)} ${WORDS[rank]}`);
  });
  return parts.join(", ") || "no stages";
}

const SVG = "http://www.w3.org/2000/svg";

const SHAPES = {
  ok: [
    ["circle", { cx: 8, cy: 8, r: 7, fill: "currentColor", opacity: 0.18 }],
    ["path", { d: "M4.6 8.4l2.4 2.4 4.5-5", class: "stroke" }],
  ],
  failed: [
    ["path", { d: "M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z", fill: "currentColor", opacity: 0.2 }],
    ["path", { d: "M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2", class: "stroke" }],
  ],
  running: [
    ["circle", { cx: 8, cy: 8, r: 6, class: "stroke", opacity: 0.25 }],
    ["path", { d: "M8 2a6 6 0 0 1 6 6", class: "stroke" }],
  ],
  waiting: [
    ["path", { d: "M8 1l7 7-7 7-7-7z", fill: "currentColor", opacity: 0.2 }],
    ["path", { d: "M8 4.5v4.3", class: "stroke" }],
    ["circle", { cx: 8, cy: 11.4, r: 1.15, fill: "currentColor" }],
  ],
  ready: [
    ["circle", { cx: 8, cy: 8, r: 6, class: "stroke" }],
    ["path", { d: "M8 4.8V8l2.2 1.6", class: "stroke" }],
  ],
  blocked: [
    ["circle", { cx: 8, cy: 8, r: 6, class: "stroke dashed" }],
    ["path", { d: "M5.5 8h5", class: "stroke" }],
  ],
  muted: [
    ["path", { d: "M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z", class: "stroke dashed" }],
    ["path", { d: "M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8", class: "stroke" }],
  ],
  // Beside the sign of a state: people hold the stage.
  pinned: [
    ["circle", { cx: 8, cy: 8, r: 7.4, class: "disc" }],
    ["path", { d: "M6 3.8h4M6.6 3.8v3L5.2 9h5.6L9.4 6.8v-3M8 9v3.4", class: "stroke" }],
  ],
  paused: [
    ["circle", { cx: 8, cy: 8, r: 7.4, class: "disc" }],
    ["path", { d: "M6.2 5.2v5.6M9.8 5.2v5.6", class: "stroke" }],
  ],
};

/** An element of SVG. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  element.append(...children);
  return element;
}

/** The signs, to be put into the page once: each is used as `#sign-NAME`. */
export function signs() {
  const symbols = Object.entries(SHAPES).map(([name, shapes]) =>
    svg(
      "symbol",
      { id: `sign-${name}`, viewBox: "0 0 16 16" },
      ...shapes.map(([shape, attributes]) => svg(shape, attributes)),
    ),
  );
  return svg("svg", { class: "sign-store", "aria-hidden": "true" }, ...symbols);
}

/** The sign of a state, to stand in a text. */
export function signOf(rank) {
  return signNamed(SIGNS[rank]);
}

/** The sign for how people hold a stage. */
export function signOfHold(hold) {
  const sign = signNamed(hold);
  sign.classList.add("hold");
  return sign;
}

function signNamed(name) {
  const use = svg("use", { href: `#sign-${name}` });
  return svg("svg", { class: `sign s-${name}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, use);
}

/** The sign and the word of a state. */
export function stateOf(rank, extra = "") {
  const word = element("span", {}, WORDS[rank]);
  return element("span", { class: `state s-${SIGNS[rank]} ${extra}` }, signOf(rank), word);
}

/** A bar of counts by state, with the same in words. */
export function barOf(counts, label = inWords(counts)) {
  const bar = svg("svg", {
    class: "bar-of-states",
    viewBox: "0 0 100 8",
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": label,
  });
  bar.append(...segments(counts, 100, 8));
  return bar;
}

const LEAST = 0.03; // of a bar's width: small counts stay visible

/** The segments of such a bar, for a bar of this size. */
export function segments(counts, width, height) {
  const total = counts.reduce((sum, number) => sum + number, 0);
  if (total === 0) return [];
  const shares = counts.map((number) => (number > 0 ? Math.max(LEAST, number / total) : 0));
  const sum = shares.reduce((all, share) => all + share, 0);
  const parts = [];
  let x = 0;
  shares.forEach((share, rank) => {
    if (share === 0) return;
    const part = (share / sum) * width;
    parts.push(
      svg("rect", {
        class: `s-${SIGNS[rank]} r-${rank}`,
        x: x.toFixed(2),
        y: 0,
        width: part.toFixed(2),
        height,
      }),
    );
    x += part;
  });
  return parts;
}
