// Says how many stages have failed in folded parts: the server sends such a part as one box, with a
// mark on it.

import { button, element } from "../dom.js";
import { grouped } from "../numbers.js";
import { FAILED } from "./states.js";

export class HiddenFailures {
  constructor(unfold) {
    /** How many stages have failed, as the head of the page says. */
    this.all = Number(document.querySelector('[data-live="counts"] [data-state="failed"] b')?.textContent.replaceAll(",", "") ?? 0);
    this.text = element("span", {});
    const show = button("Unfold", "Show what is in folded parts", unfold, { class: "small" });
    this.element = element("p", { class: "hidden-failures", role: "status", hidden: true }, this.text, " ", show);
  }

  /** Say how many of them the tree does not show; gives the number of all. */
  show({ root, folds }) {
    const shown = root.counts[FAILED] - folds.filter(({ concern }) => concern === FAILED).length;
    const count = folds.length === 0 ? 0 : Math.max(0, this.all - shown);
    const what = count === 1 ? "1 stage has" : `${grouped(count)} stages have`;
    const text = `${what} failed in parts that are folded.`;
    if (count > 0 && this.text.textContent !== text) this.text.textContent = text;
    this.element.hidden = count === 0;
    return shown + count;
  }
}
