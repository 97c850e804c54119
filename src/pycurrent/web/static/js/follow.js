// Follows stages and items: the browser tells when one fails, or is good again, while a page of the site is
// open, hidden or not. It is asked for its permission only when the reader presses the button.

import { canConnect, connection, reader } from "./source.js";

const MOST = 50;
const KEY = `pycurrent-followed:${document.body.dataset.user ?? ""}`;

let buttons = [];
let isSending = false; // whether the worker knows of this tab

/** All that is followed: `{address, name, query}`, and `bad`, whether it had failed when the worker last looked. */
function followed() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isFollowed) : [];
  } catch {
    return [];
  }
}

function isFollowed(one) {
  const texts = [one?.address, one?.name, one?.query];
  return texts.every((text) => typeof text === "string") && /^\/(?![/\\])/.test(one.address);
}

/** Have the worker watch them all. It is not begun for nothing. */
function send() {
  const all = Notification.permission === "granted" ? followed() : [];
  if (all.length === 0 && !isSending) return;
  const port = connection();
  if (!isSending) port?.addEventListener("message", onMessage);
  port?.postMessage({ reader, followed: all });
  isSending = true;
}

/** The worker asks this tab to tell, or has looked. */
function onMessage({ data: { name, number, address, title, text, bad } }) {
  if (name === "watched") onWatched(bad);
  if (name !== "notify") return;
  connection().postMessage({ told: number });
  const icon = document.querySelector('link[rel="icon"]').href;
  const shown = new Notification(title, { body: text, tag: address, icon });
  shown.addEventListener("click", () => {
    window.focus();
    location.assign(address);
  });
}

/** The worker ends with the last tab: the next one is to know how things were. */
function onWatched(bad) {
  const all = followed().map((one) => (one.address in bad ? { ...one, bad: bad[one.address] } : one));
  localStorage.setItem(KEY, JSON.stringify(all));
  for (const one of buttons) one.show({ isWatched: true });
}

class Button {
  constructor(place) {
    const { follow: address, name, query } = place.dataset;
    this.one = { address, name, query };
    this.button = place;
    place.hidden = false;
    place.addEventListener("click", () => this.press());
    this.show();
  }

  get isOn() {
    return Notification.permission === "granted" && followed().some(({ address }) => address === this.one.address);
  }

  /** `isWatched`: the worker knows the present state, and tells of changes from now on. */
  show({ isWatched = false } = {}) {
    if (isWatched && this.isOn) this.button.dataset.watched = "";
    else if (!this.isOn) delete this.button.dataset.watched;
    this.button.setAttribute("aria-pressed", String(this.isOn));
    this.button.textContent = this.isOn ? "Following" : "Follow";
  }

  refuse() {
    this.button.textContent = "Not allowed by the browser";
    this.button.title = "The settings of the browser for this site say that it may not send notifications.";
  }

  async press() {
    const others = followed().filter(({ address }) => address !== this.one.address);
    if (this.isOn) keep(others);
    else if ((await Notification.requestPermission()) === "granted") keep([...others, this.one].slice(-MOST));
    else return this.refuse();
    this.show();
  }
}

function keep(all) {
  localStorage.setItem(KEY, JSON.stringify(all));
  send();
}

if ("Notification" in window && canConnect()) {
  buttons = [...document.querySelectorAll("[data-follow]")].map((place) => new Button(place));
  window.addEventListener("storage", ({ key }) => {
    if (key !== KEY) return;
    send();
    for (const one of buttons) one.show();
  });
  send();
}
