// Making elements.

/** An element with properties (`class`, `data-…` and `aria-…` are attributes) and children. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** A button that does something. `title` is its name where it has no text. */
export function button(text, title, act, properties = {}) {
  const label = text ? { title } : { title, "aria-label": title };
  return element("button", { type: "button", onclick: act, ...label, ...properties }, text);
}
