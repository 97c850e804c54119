// States as a sign, a word and a colour. The signs are those in the head of the page.

import { element } from "./dom.js";

/** `sign` is one of ok, failed, running, waiting, ready, blocked, muted. */
export function sign(name) {
  const drawn = document.querySelector(`.counts svg.s-${name}`);
  return drawn ? drawn.cloneNode(true) : "";
}

export function state(name, word) {
  return element("span", { class: `state s-${name}` }, sign(name), element("span", {}, word));
}
