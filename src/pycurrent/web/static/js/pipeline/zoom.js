// A drawing in an area that scrolls. Zooming keeps what is under the pointer where it is.

const LEAST = 0.08;
const MOST = 3;
const STEP = 1.25;

export class Zoom {
  /** `changed()` is called when somebody has zoomed or moved. */
  constructor(area, drawing, changed) {
    this.area = area;
    this.drawing = drawing;
    this.changed = changed;
    this.scale = 1;
    this.size = { w: 1, h: 1 };
    this.isChosen = false;
    area.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    area.addEventListener("pointerdown", (event) => this.drag(event));
    area.addEventListener("scroll", () => this.isChosen && this.changed(), { passive: true });
  }

  /** The drawing is this large now. */
  resize(w, h) {
    this.size = { w, h };
    this.drawing.setAttribute("viewBox", `0 0 ${w} ${h}`);
    this.apply();
  }

  apply() {
    this.drawing.style.width = `${this.size.w * this.scale}px`;
    this.drawing.style.height = `${this.size.h * this.scale}px`;
  }

  /** As large as fits the width, but neither blown up nor too small to be read. */
  fit({ whole = false } = {}) {
    const wide = (this.area.clientWidth - 2) / this.size.w;
    const high = (this.area.clientHeight - 2) / this.size.h;
    this.scale = whole ? clamp(Math.min(wide, high, 1)) : Math.min(1, Math.max(0.55, wide));
    this.isChosen = false;
    this.apply();
  }

  /** Set the scale; the point of the area with these coordinates stays where it is. */
  set(scale, x = this.area.clientWidth / 2, y = this.area.clientHeight / 2) {
    const { area } = this;
    const before = this.scale;
    this.scale = clamp(scale);
    const [left, top] = [area.scrollLeft, area.scrollTop];
    this.apply();
    const grown = this.scale / before;
    area.scrollLeft = (left + x) * grown - x;
    area.scrollTop = (top + y) * grown - y;
    this.isChosen = true;
    this.changed();
  }

  larger() {
    this.set(this.scale * STEP);
  }

  smaller() {
    this.set(this.scale / STEP);
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const { left, top } = this.area.getBoundingClientRect();
    const factor = Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0025));
    this.set(this.scale * factor, event.clientX - left, event.clientY - top);
  }

  /** Move what is seen with the mouse. A touch moves it without us. */
  drag(event) {
    if (event.button !== 0 || event.pointerType !== "mouse") return;
    const { area } = this;
    if (event.target.closest("[tabindex]") !== area && event.target.closest(".box, .closed, .head")) return;
    const { clientX, clientY } = event;
    const { scrollLeft, scrollTop } = area;
    const move = (moved) => {
      area.classList.add("dragged");
      area.scrollLeft = scrollLeft - (moved.clientX - clientX);
      area.scrollTop = scrollTop - (moved.clientY - clientY);
    };
    const end = () => {
      area.classList.remove("dragged");
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  }

  /** Bring an area of the drawing into view, with what is around it. */
  show({ x, y, w, h }) {
    const { area, scale } = this;
    const margin = 40;
    const near = (start, size, from, room) => {
      const [low, high] = [start * scale - margin, (start + size) * scale + margin];
      if (low >= from && high <= from + room) return from;
      return size * scale + 2 * margin > room ? low : low + (high - low - room) / 2;
    };
    area.scrollLeft = near(x, w, area.scrollLeft, area.clientWidth);
    area.scrollTop = near(y, h, area.scrollTop, area.clientHeight);
  }

  /** Scale and place, to stand in an address; null unless somebody has chosen them. */
  get text() {
    if (!this.isChosen) return null;
    const { area, scale } = this;
    const place = [area.scrollLeft / scale, area.scrollTop / scale].map(Math.round);
    return `${Number(scale.toFixed(3))},${place.join(",")}`;
  }

  restore(text) {
    const [scale, x, y] = text.split(",").map(Number);
    if (![scale, x, y].every(Number.isFinite)) return false;
    this.scale = clamp(scale);
    this.apply();
    this.area.scrollTo(x * this.scale, y * this.scale);
    this.isChosen = true;
    return true;
  }
}

function clamp(scale) {
  return Math.min(MOST, Math.max(LEAST, scale));
}
