// The reader's settings for logs, remembered by the browser.

import { STYLES } from "./times.js";

const KEY = "pycurrent-log";
const DEFAULT = { wrap: true, times: "none" };

export class Settings {
  constructor() {
    const { wrap, times } = { ...DEFAULT, ...remembered() };
    this.wrap = wrap === true;
    this.times = times in STYLES ? times : DEFAULT.times;
  }

  set(name, value) {
    this[name] = value;
    try {
      localStorage.setItem(KEY, JSON.stringify({ wrap: this.wrap, times: this.times }));
    } catch {
      // A browser that may not remember anything shows it all the same.
    }
  }
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}
