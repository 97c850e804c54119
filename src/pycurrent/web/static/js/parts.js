// Brings parts of a page up to date from the server's present version of the page, so that live
// pages look exactly as without scripts: elements with `data-part="NAME"` are swapped whole.
//
// Forms with `data-in-place` are sent without leaving the page. The answer, a page as well, has the
// result.

let tag = null; // of the page that was fetched last

/** Fetch this page, and swap its parts, unless it is still the same. Errors leave them as they are. */
export async function refresh() {
  const headers = tag === null ? {} : { "If-None-Match": tag };
  const asked = { credentials: "same-origin", cache: "no-store", headers };
  const response = await fetch(location.href, asked).catch(() => null);
  if (!response?.ok) return; // 304, for example
  tag = response.headers.get("ETag");
  swap(await parsed(response), { notice: false });
}

/** Swap the parts that are in `page` too. Without `notice`, the last notice stays. */
export function swap(page, { notice = true } = {}) {
  if (notice) tag = null; // it is the answer to a form: what was fetched is not shown any more
  for (const old of document.querySelectorAll("[data-part]")) {
    const name = old.dataset.part;
    if (name === "notice" && !notice) continue;
    const fresh = page.querySelector(`[data-part="${CSS.escape(name)}"]`);
    if (!fresh || fresh.isEqualNode(old)) continue;
    if (!notice && isInUse(old)) later(old);
    else replace(old, document.importNode(fresh, true));
  }
}

const waiting = new WeakSet(); // parts that are fetched again once the reader leaves them

/** Whether the reader may be about to click in a part whose buttons say how much they do. */
function isInUse(part) {
  return part.hasAttribute("data-still") && (part.matches(":hover") || part.contains(document.activeElement));
}

function later(part) {
  if (waiting.has(part)) return;
  waiting.add(part);
  const leave = () => {
    waiting.delete(part);
    tag = null; // it has not been shown yet
    refresh();
  };
  for (const name of ["pointerleave", "focusout"]) part.addEventListener(name, leave, { once: true });
}

function replace(old, fresh) {
  const focused = old.contains(document.activeElement) ? selectorOf(document.activeElement) : null;
  old.replaceWith(fresh);
  if (focused) fresh.querySelector(focused)?.focus();
  fresh.dispatchEvent(new CustomEvent("part:fresh", { bubbles: true }));
}

function selectorOf(element) {
  const name = element.getAttribute("name");
  const which = name ? `[name="${CSS.escape(name)}"]` : "";
  const value = element.getAttribute("value");
  return `${element.localName}${which}${value ? `[value="${CSS.escape(value)}"]` : ""}`;
}

async function parsed(response) {
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

async function send(form, submitter) {
  const data = new URLSearchParams(new FormData(form, submitter));
  const url = submitter?.hasAttribute("formaction") ? submitter.formAction : form.action;
  const buttons = [...form.elements].filter((one) => one.localName === "button" && !one.disabled);
  const focused = form.contains(document.activeElement) ? document.activeElement : null;
  const row = focused?.closest("tr");
  for (const button of buttons) button.disabled = true;
  try {
    const response = await fetch(url, { method: "POST", body: data, credentials: "same-origin" });
    const page = await parsed(response);
    swap(page);
    form.dispatchEvent(new CustomEvent("form:sent", { bubbles: true }));
    if (!response.ok) complain(page.querySelector("main")?.textContent);
  } catch {
    complain("the engine can't be reached");
  } finally {
    for (const button of buttons) button.disabled = button.closest(".gone") !== null;
    if (focused !== null && document.activeElement === document.body) {
      // The pressed button may have changed or gone: focus the link of its row instead.
      const stays = focused.isConnected && !focused.disabled;
      (stays ? focused : row?.querySelector("th a"))?.focus();
    }
  }
}

/** Say that something was not done. */
export function complain(text) {
  const place = document.querySelector('[data-part="notice"]');
  if (!place) return;
  const box = document.createElement("div");
  box.className = "notice bad";
  box.setAttribute("role", "alert");
  box.textContent = (text ?? "").replace(/\s+/g, " ").trim();
  place.replaceChildren(box);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-in-place]")) return;
  event.preventDefault();
  send(form, event.submitter);
});
