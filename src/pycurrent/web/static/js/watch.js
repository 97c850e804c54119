// In the worker that all tabs share: watches the stages and items that the reader follows, and has one of
// the tabs tell when one fails, or is good again. It looks after events, and not too often.

const PAUSE = 2000; // milliseconds between two looks, at least
const PART = 10; // of the time, one part in so many is spent on looks
const ANSWER = 3000; // milliseconds that a tab may take, or another one is asked
const LIMIT = 10_000; // stages of an item that are looked at

export class Watch {
  /** `subscribe(listener)` follows the events for as long as something is watched, and gives the end of it. */
  constructor(tabs, subscribe) {
    this.tabs = tabs; // ports, the one that was heard last at the end
    this.subscribe = subscribe;
    this.leave = null;
    this.followed = new Map(); // by address: `{address, name, query, bad}`
    this.bad = new Map(); // by address: whether it had failed at the last look
    this.timer = 0;
    this.looking = false;
    this.again = false;
    this.unanswered = new Map(); // messages, by number
    this.number = 0;
  }

  /** All that is followed from now on, instead of what was, with how it was when a tab last knew. */
  follow(followed) {
    this.followed = new Map(followed.map((one) => [one.address, one]));
    for (const address of this.bad.keys()) {
      if (!this.followed.has(address)) this.bad.delete(address);
    }
    for (const { address, bad } of followed) {
      if (bad !== undefined && !this.bad.has(address)) this.bad.set(address, bad);
    }
    if (this.followed.size === 0) {
      this.leave?.();
      this.leave = null;
      return;
    }
    this.leave ??= this.subscribe(() => this.lookSoon());
    this.lookSoon();
  }

  lookSoon() {
    this.again = true;
    if (this.timer !== 0 || this.looking) return;
    this.look();
  }

  async look() {
    this.looking = true;
    this.again = false;
    const began = performance.now();
    for (const one of this.followed.values()) await this.lookAt(one).catch(() => {}); // tried at the next event
    this.looking = false;
    for (const tab of this.tabs) tab.postMessage({ name: "watched", bad: Object.fromEntries(this.bad) });
    const pause = Math.max(PAUSE, PART * (performance.now() - began));
    this.timer = setTimeout(() => {
      this.timer = 0;
      if (this.again) this.look();
    }, pause);
  }

  async lookAt({ address, name, query }) {
    const response = await fetch(`/api/v1/stages?${query}&limit=${LIMIT}`, { credentials: "same-origin" });
    if (!response.ok || !this.followed.has(address)) return;
    const { stages } = await response.json();
    const failed = stages.filter(({ state }) => state === "failed");
    const was = this.bad.get(address);
    if (failed.length > 0) {
      this.bad.set(address, true);
      if (was === false) this.tell({ address, title: `✗ ${name} has failed`, text: failed[0].failure ?? "" });
    } else if (was === undefined) {
      this.bad.set(address, false);
    } else if (was && stages.length > 0 && stages.every(({ state }) => state === "ok")) {
      this.bad.set(address, false);
      this.tell({ address, title: `✓ ${name} is good again`, text: "" });
    }
  }

  /** One tab tells: the one that was heard last, or else the one before. Closed ones do not answer. */
  tell(message) {
    const number = (this.number += 1);
    const asked = [...this.tabs].reverse();
    const ask = () => {
      const tab = asked.shift();
      if (tab === undefined) {
        this.unanswered.delete(number);
        // All of them sleep: it is told all the same, but a click on it leads nowhere.
        new Notification(message.title, { body: message.text, tag: message.address });
        return;
      }
      const timer = setTimeout(() => {
        this.tabs.delete(tab);
        ask();
      }, ANSWER);
      this.unanswered.set(number, timer);
      tab.postMessage({ name: "notify", number, ...message });
    };
    ask();
  }

  told(number) {
    clearTimeout(this.unanswered.get(number));
    this.unanswered.delete(number);
  }
}
