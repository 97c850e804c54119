// The failures, grouped by message: each message once, with all stages that failed with it.

import { post } from "../api.js";
import { element } from "../dom.js";
import { grouped } from "../numbers.js";
import { placeOf } from "./containers.js";
import { BLOCKED, FAILED, OK, signOf, stateOf } from "./states.js";
import { linkOf } from "./shapes.js";
import { textOf } from "./scene.js";

const MOST_SHOWN = 25; // stages of a message, before the rest is asked for
const MOST_COUNTED = 100; // messages for which it is counted what they hold up

export class Failures {
  constructor(page) {
    this.page = page;
    this.unfolded = new Set();
    this.element = element("div", { class: "failures" });
    this.element.addEventListener("click", (event) => this.click(event));
  }

  draw(tree) {
    this.tree = tree;
    this.render();
  }

  /** Only failures that come, go, or have another message are of interest here. */
  patch(boxes) {
    const known = this.known ?? new Map();
    if (boxes.some((box) => (box.why ?? undefined) !== known.get(box.id))) this.render();
  }

  filter() {
    if (this.tree !== undefined) this.render();
  }

  render() {
    const failed = [...this.tree.boxes.values()].filter((box) => box.why !== null);
    this.known = new Map(failed.map((box) => [box.id, box.why]));
    const groups = byMessage(failed.filter((box) => this.page.matches(box, { anyState: true })));
    if (groups.length === 0) {
      this.element.replaceChildren(this.nothing(failed.length));
      return;
    }
    const counted = groups.length <= MOST_COUNTED;
    this.element.replaceChildren(...groups.map((group) => this.section(group, counted)));
  }

  nothing(hidden) {
    const { counts, total } = this.tree.root;
    const good = hidden === 0;
    const text = good ? "Nothing has failed." : "No failure matches.";
    const more = good
      ? `${grouped(counts[OK])} of ${grouped(total)} stages are ok.`
      : `${grouped(hidden)} others do not.`;
    return element("div", { class: "card empty" }, signOf(good ? OK : BLOCKED), element("p", {}, text), element("p", {}, more));
  }

  section({ message, boxes }, counted) {
    const count = grouped(boxes.length);
    const held = counted ? heldUpBy(boxes) : 0;
    const head = element(
      "div",
      { class: "card-head" },
      stateOf(FAILED),
      element("h2", { class: "number" }, `${count} ${boxes.length === 1 ? "stage" : "stages"}`),
    );
    if (held > 0) {
      head.append(element("span", { class: "muted" }, `${grouped(held)} more held up by ${boxes.length === 1 ? "it" : "them"}`));
    }
    const jobs = boxes.filter(({ jobId }) => jobId !== null);
    if (this.page.mayBuild && jobs.length > 0) {
      const text = jobs.length === 1 ? "Rebuild" : `Rebuild all ${grouped(jobs.length)}`;
      const button = element("button", { class: "small push", type: "button", "data-rebuild": message }, text);
      head.append(button);
    }
    const text = element("pre", { class: "message", tabindex: 0, role: "region", "aria-label": `Message: ${message.slice(0, 80)}` }, message);
    return element("section", { class: "card" }, head, element("div", { class: "card-body" }, text, this.list(message, boxes)));
  }

  list(message, boxes) {
    const list = element("ul", { class: "failed-stages" });
    const most = this.unfolded.has(message) ? boxes.length : MOST_SHOWN;
    for (const box of boxes.slice(0, most)) list.append(element("li", {}, this.link(box), whereIs(box)));
    if (boxes.length > most) {
      const more = grouped(boxes.length - most);
      const button = element("button", { class: "small quiet", type: "button", "data-more": message }, `and ${more} more`);
      list.append(element("li", {}, button));
    }
    return list;
  }

  link(box) {
    const href = linkOf(box);
    if (box.kind === "list") {
      const text = `Open ${textOf(box)} (${box.insideInWords})`;
      const open = element("button", { class: "small quiet", type: "button", "data-open": true }, text);
      open.shown = box;
      return open;
    }
    if (box.failedInside > 0) return element("span", {}, `${textOf(box)} (${box.insideInWords})`);
    return href === null ? element("span", {}, textOf(box)) : element("a", { href }, textOf(box));
  }

  async click(event) {
    const button = event.target.closest("button");
    if (button === null) return;
    if ("more" in button.dataset) {
      this.unfolded.add(button.dataset.more);
      this.render();
      return;
    }
    if ("open" in button.dataset) {
      this.page.unfold(button.shown);
      return;
    }
    const message = button.dataset.rebuild;
    const ids = [...this.known].filter(([, failure]) => failure === message).map(([id]) => this.tree.boxes.get(id).jobId);
    button.disabled = true;
    this.page.say(await rebuilt([...new Set(ids.filter((id) => id !== null))]));
    button.disabled = false;
  }
}

/** Rebuild jobs. Returns the result in words. */
async function rebuilt(ids) {
  try {
    const { outcomes } = await post("/rebuild", { ids });
    const refused = outcomes.filter(({ outcome }) => outcome === "refused");
    const begun = outcomes.length - refused.length;
    const why = [...new Set(refused.map(({ why: reason }) => reason))].join("; ");
    return `${begun} rebuilt${refused.length > 0 ? `, ${refused.length} not: ${why}` : ""}`;
  } catch (problem) {
    return problem.message;
  }
}

function byMessage(boxes) {
  const groups = new Map();
  for (const box of boxes) {
    const group = groups.get(box.why);
    if (group === undefined) groups.set(box.why, { message: box.why, boxes: [box] });
    else group.boxes.push(box);
  }
  return [...groups.values()].sort((one, other) => other.boxes.length - one.boxes.length);
}

/** How many stages are blocked behind these. */
function heldUpBy(boxes) {
  const seen = new Set(boxes);
  const open = [...boxes];
  let held = 0;
  while (open.length > 0) {
    for (const next of open.pop().outs) {
      if (seen.has(next) || (next.rank >= 0 && next.rank !== BLOCKED)) continue;
      seen.add(next);
      open.push(next);
      if (next.isStage) held += 1;
    }
  }
  return held;
}

function whereIs(box) {
  const place = placeOf(box).map(({ title }) => title).join(" › ");
  return place ? element("span", { class: "muted" }, ` ${place}`) : "";
}
