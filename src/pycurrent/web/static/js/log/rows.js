// Draws one line of a log.

import { element } from "../dom.js";
import { grouped } from "../numbers.js";
import { pieces, styled } from "./colours.js";
import { shown } from "./times.js";

const LONG = 2000; // characters: a longer line is scrolled by itself where lines are wrapped

const END = /^(?:::endgroup::|##\[endgroup\])/;

/**
 * `folds` knows the groups of lines, `marks` the chosen ones, `search` what was found; `settings` how
 * times are shown.
 */
export function rowDrawer({ lines, folds, marks, search, settings, start, raw }) {
  return (row, place, content) => {
    const number = folds.number(place);
    const level = folds.levels.get(number);
    row.dataset.line = number + 1;
    row.classList.toggle("is-loading", content === undefined);
    row.classList.toggle("is-marked", marks.has(number));
    row.classList.toggle("is-found", search.found.has(number));
    row.classList.toggle("is-current", search.current === number);
    for (const name of ["error", "warning", "notice"]) {
      row.classList.toggle(`is-${name}`, level === name);
    }
    const group = folds.groups.get(number);
    const text = group === undefined ? textOf(content) : headingOf(group);
    row.replaceChildren(numberOf(number), ...timeOf(number), text);
  };

  function numberOf(number) {
    const name = `L${number + 1}`;
    return element("a", { class: "log-number", href: `#${name}`, tabindex: "-1" }, `${number + 1}`);
  }

  function timeOf(number) {
    if (settings.times === "none") return [];
    const time = lines.times.of(number);
    const title = time === null ? null : new Date(time).toISOString();
    return [element("span", { class: "log-time", title }, shown(time, settings.times, start))];
  }

  function headingOf({ name, first, end }) {
    const isFolded = folds.folded.has(first);
    const count = isFolded && end !== null ? ` (${grouped(end - first - 1)} lines)` : "";
    const options = { class: "log-fold", type: "button", "aria-expanded": String(!isFolded) };
    const text = `${isFolded ? "▸" : "▾"} ${name}${count}`;
    return element("span", { class: "log-text" }, element("button", options, text));
  }

  function textOf(content) {
    const text = element("span", { class: "log-text" });
    if (content === undefined || END.test(content.text)) return text;
    const { found } = pieces(content.text, content.look);
    const whole = found.map(([part]) => part).join("");
    text.append(...marked(found, search.ranges(whole)));
    if (whole.length > LONG) {
      text.classList.add("is-long");
      text.tabIndex = 0;
    }
    if (content.cut > 0) {
      const left = `… ${grouped(content.cut)} bytes of this line are not shown`;
      text.append(" ", element("a", { class: "log-cut", href: raw }, left));
    }
    return text;
  }
}

/** The pieces as elements, with the ranges (`[begin, end]`, in order) marked. */
function marked(found, ranges) {
  const made = [];
  let origin = 0;
  for (const [text, look] of found) {
    let at = 0;
    for (const [begin, end] of ranges) {
      const first = Math.max(begin - origin, at);
      const last = Math.min(end - origin, text.length);
      if (first >= last) continue;
      if (first > at) made.push(styled(text.slice(at, first), look));
      made.push(element("mark", {}, styled(text.slice(first, last), look)));
      at = last;
    }
    if (at < text.length) made.push(styled(text.slice(at), look));
    origin += text.length;
  }
  return made;
}
