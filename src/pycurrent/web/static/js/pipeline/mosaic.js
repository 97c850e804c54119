// A closed container of many parts: a small square for each shows at a glance how many are well, and
// where the others are. Squares of parts that need attention are larger.

import { CLOSED } from "./sizes.js";
import { BLOCKED, SIGNS, svg, worstOf } from "./states.js";

export const LEAST = 40; // parts
const MOST = 8000;
const SIDES = [10, 4]; // of what needs attention, and at least, with the space around it
const WIDEST = 860;
const RATIO = 2.3;

/** How the squares are arranged; null: for so few or so many there are none. */
export function mosaicOf(container) {
  const count = container.children.length;
  if (count < LEAST || count > MOST) return null;
  const columns = Math.ceil(Math.sqrt(count * RATIO));
  const side = Math.max(SIDES[1], Math.min(SIDES[0], Math.floor(WIDEST / columns)));
  const rows = Math.ceil(count / columns);
  const room = { x: 11, y: CLOSED.height - 4 };
  return {
    columns,
    side,
    x: room.x,
    y: room.y,
    w: Math.max(CLOSED.least, columns * side + 2 * room.x + 3),
    h: room.y + rows * side + 12,
  };
}

function rankOf(part) {
  return part.isContainer ? worstOf(part.counts) : part.concern;
}

/** The squares, as one shape for each state. */
export function squares(container, { columns, side, x, y }) {
  const paths = SIGNS.map(() => "");
  container.children.forEach((part, index) => {
    const rank = rankOf(part);
    const inset = rank >= 0 && rank < BLOCKED ? 0.5 : side * 0.2;
    const left = x + (index % columns) * side + inset;
    const top = y + Math.floor(index / columns) * side + inset;
    const size = side - 2 * inset;
    paths[rank < 0 ? BLOCKED : rank] += `M${left.toFixed(1)} ${top.toFixed(1)}h${size}v${size}h${-size}z`;
  });
  return paths.flatMap((d, rank) => (d ? [svg("path", { class: `s-${SIGNS[rank]}`, d })] : []));
}

/** The part whose square is at this point of the container. */
export function partAt(container, { columns, side, x, y }, point) {
  const column = Math.floor((point.x - x) / side);
  const row = Math.floor((point.y - y) / side);
  if (column < 0 || column >= columns || row < 0) return undefined;
  return container.children[row * columns + column];
}
