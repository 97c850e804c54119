// Turns the control sequences in a log into coloured text. Everything else that a terminal would
// obey (moving the cursor, titles) is left out.
//
// Our own code, because the page forbids style attributes (Content-Security-Policy): colours are
// classes, or are set on the element. Sequences: ECMA-48, 8.3.117; colours: ITU T.416, xterm.

/** The look of text without any sequence before it. Looks are never changed, only replaced. */
export const PLAIN = Object.freeze({
  fg: null,
  bg: null,
  bold: false,
  faint: false,
  italic: false,
  underline: false,
  inverse: false,
  strike: false,
});

const SEQUENCE = new RegExp(
  [
    "\\x1b\\[([0-9;:]*)m", // colours
    "\\x1b\\[[0-?]*[ -/]*[@-~]", // other control sequences
    "\\x1b\\][^\\x07\\x1b]*(?:\\x07|\\x1b\\\\)?", // titles and links
    "\\x1b[PX^_][^\\x1b]*(?:\\x1b\\\\)?", // device control and other strings
    "\\x1b(?:[ -/]*[0-~])?",
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f]",
  ].join("|"),
  "g",
);

/** The pieces of a line, `[text, look]`, if it begins in `look`; and the look after it. */
export function pieces(line, look = PLAIN) {
  const found = [];
  let position = 0;
  SEQUENCE.lastIndex = 0;
  for (let match = SEQUENCE.exec(line); match; match = SEQUENCE.exec(line)) {
    if (match.index > position) found.push([line.slice(position, match.index), look]);
    position = SEQUENCE.lastIndex;
    if (match[1] !== undefined) look = changed(look, match[1]);
  }
  if (position < line.length) found.push([line.slice(position), look]);
  return { found, after: look };
}

/** The look after a line, for one that is not shown. */
export function lookAfter(line, look) {
  return line.includes("\x1b[") ? pieces(line, look).after : look;
}

const SIMPLE = {
  1: { bold: true },
  2: { faint: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { strike: true },
  21: { underline: true },
  22: { bold: false, faint: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { strike: false },
  39: { fg: null },
  49: { bg: null },
};

function changed(look, parameters) {
  const codes = parameters.split(";");
  for (let at = 0; at < codes.length; at += 1) {
    const parts = codes[at].split(":");
    const code = Number(parts[0]);
    if (code === 0) look = PLAIN;
    else if (code === 38 || code === 48) {
      const long = parts.length > 1;
      const [colour, used] = extended(long ? parts.slice(1) : codes.slice(at + 1), long);
      if (!long) at += used;
      if (colour !== null) look = { ...look, [code === 38 ? "fg" : "bg"]: colour };
    } else if (code in SIMPLE) {
      const off = code === 4 && parts[1] === "0";
      look = { ...look, ...(off ? { underline: false } : SIMPLE[code]) };
    } else look = { ...look, ...named(code) };
  }
  return look;
}

function named(code) {
  if (code >= 30 && code < 38) return { fg: code - 30 };
  if (code >= 40 && code < 48) return { bg: code - 40 };
  if (code >= 90 && code < 98) return { fg: code - 82 };
  if (code >= 100 && code < 108) return { bg: code - 92 };
  return {};
}

/** A colour by its number or its parts, and how many of the parameters said so. */
function extended(parameters, long) {
  const numbers = parameters.map(Number);
  if (numbers[0] === 5 && isByte(numbers[1])) return [indexed(numbers[1]), 2];
  if (numbers[0] === 2) {
    // With colons there may be the number of a colour space before the colour.
    const rgb = long && numbers.length > 4 ? numbers.slice(2, 5) : numbers.slice(1, 4);
    return rgb.length === 3 && rgb.every(isByte) ? [`rgb(${rgb.join(" ")})`, 4] : [null, 4];
  }
  return [null, numbers[0] === 5 ? 2 : 1];
}

function isByte(number) {
  return Number.isInteger(number) && number >= 0 && number < 256;
}

const LEVELS = [0, 95, 135, 175, 215, 255];

/** The number of one of the 16 named colours; for others the colour itself. */
function indexed(number) {
  if (number < 16) return number;
  if (number >= 232) return `rgb(${Array(3).fill(8 + 10 * (number - 232)).join(" ")})`;
  const cube = number - 16;
  const rgb = [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6];
  return `rgb(${rgb.map((level) => LEVELS[level]).join(" ")})`;
}

/** An element with a text in this look; plain text needs none. */
export function styled(text, look) {
  if (look === PLAIN) return document.createTextNode(text);
  const span = document.createElement("span");
  for (const name of ["bold", "faint", "italic", "underline", "strike"]) {
    if (look[name]) span.classList.add(`a-${name}`);
  }
  let { fg, bg } = look;
  if (look.inverse) {
    [fg, bg] = [bg, fg];
    if (fg === null) span.classList.add("a-inverse-fg");
    if (bg === null) span.classList.add("a-inverse-bg");
  }
  // If a background comes without a foreground, we choose one: dark or light.
  if (fg === null && typeof bg === "string") fg = readable(bg);
  paint(span, "fg", "color", fg);
  paint(span, "bg", "backgroundColor", bg);
  span.append(text);
  return span;
}

/** Black or white, whichever is readable on a colour (by its luma: ITU-R BT.601). */
function readable(colour) {
  const [red, green, blue] = colour.match(/\d+/g).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128 ? "white" : "black";
}

function paint(span, kind, property, colour) {
  if (typeof colour === "number") span.classList.add(`a-${kind}-${colour}`);
  else if (colour !== null) span.style[property] = colour;
}
