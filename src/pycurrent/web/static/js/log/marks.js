// The lines that the address names: `#L12`, or `#L12-L20`. They are shown by their numbers, from 1.

const FORM = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/;

/** Tells by `change`, with whether to go there in `detail`. */
export class Marks extends EventTarget {
  constructor() {
    super();
    this.range = parsed(location.hash);
    window.addEventListener("hashchange", () => {
      this.range = parsed(location.hash);
      this.dispatchEvent(new CustomEvent("change", { detail: { go: true } }));
    });
  }

  /** The first line that is marked, from 0; null if none is. */
  get first() {
    return this.range?.[0] ?? null;
  }

  has(number) {
    return this.range !== null && this.range[0] <= number && number <= this.range[1];
  }

  /** Mark a line; with `extend` all from the one that is marked, to this one. */
  set(number, { extend = false } = {}) {
    const other = extend && this.range !== null ? this.range[0] : number;
    this.range = [Math.min(other, number), Math.max(other, number)];
    const [first, last] = this.range;
    history.replaceState(null, "", first === last ? `#L${first + 1}` : `#L${first + 1}-L${last + 1}`);
    this.dispatchEvent(new CustomEvent("change", { detail: { go: false } }));
  }
}

function parsed(hash) {
  const found = FORM.exec(hash);
  if (found === null) return null;
  const ends = [Number(found[1]), Number(found[2] ?? found[1])].map((one) => Math.max(0, one - 1));
  return [Math.min(...ends), Math.max(...ends)];
}
