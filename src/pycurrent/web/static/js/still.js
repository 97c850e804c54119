// A click acts only on what its reader has seen there: a button that has come under a pointer at rest, as the
// page has changed, does nothing for a second; nor does one that has taken the place of another that was
// just pressed. Only buttons that ask the engine for something are meant.

const SETTLES = 1000; // milliseconds
const NEAR = 24; // pixels between two touches of one spot

let rest = null; // where the pointer has moved last
let pressed = null; // the last press: the button, where and when
const came = new WeakMap(); // when a button has come under the pointer by itself

function button(event) {
  const found = event.target.closest?.("button");
  return found?.form?.method === "post" ? found : null;
}

function over(event) {
  const found = button(event);
  if (found === null || rest === null) return;
  if (event.clientX === rest.x && event.clientY === rest.y) came.set(found, performance.now());
}

function press(event) {
  const found = button(event);
  if (found === null || event.detail === 0) return; // keys go where the focus is
  const now = performance.now();
  const isNew = now - (came.get(found) ?? -SETTLES) < SETTLES;
  const before = pressed;
  pressed = { found, now, x: event.clientX, y: event.clientY };
  const isOther =
    before !== null &&
    before.found !== found &&
    now - before.now < SETTLES &&
    Math.hypot(before.x - event.clientX, before.y - event.clientY) < NEAR;
  if (!isNew && !isOther) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}

document.addEventListener("pointermove", (event) => (rest = { x: event.clientX, y: event.clientY }), true);
document.addEventListener("pointerover", over, true);
document.addEventListener("click", press, true);
