// Chooses and orders the rows of a table.

import { STATES } from "./states.js";

const NOTHING = STATES.length;

/** The state of most concern among boxes, an update counting as much as a result. */
export function concern(boxes) {
  let worst = NOTHING;
  for (const { concern: rank, update } of boxes) {
    if (rank >= 0 && rank < worst) worst = rank;
    if (update >= 0 && update < worst) worst = update;
  }
  return worst;
}

/**
 * The rows of a section as they are listed: with those below the ones that are open, in the order
 * that `sort` says: `state`, `name`, or the key of a column; with a minus before it the other way.
 */
export function listed(section, { sort, keep, isOpen }) {
  const down = sort.startsWith("-");
  const compare = comparing(down ? sort.slice(1) : sort);
  const lines = [];
  const add = (rows) => {
    const kept = rows.filter(keep);
    if (compare !== null) kept.sort(down ? (one, other) => compare(other, one) : compare);
    for (const row of kept) {
      lines.push(row);
      if (row.rows.length > 0 && isOpen(row)) add(row.rows);
    }
  };
  add(section.rows);
  return lines;
}

function comparing(sort) {
  if (sort === "declared") return null;
  if (sort === "name") {
    const names = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
    return (one, other) => names.compare(one.label, other.label);
  }
  const key = sort === "state" ? (row) => concern(row.all()) : (row) => concern(row.cells.get(sort) ?? []);
  const ranks = new Map();
  const rank = (row) => {
    let found = ranks.get(row);
    if (found === undefined) ranks.set(row, (found = key(row)));
    return found;
  };
  return (one, other) => rank(one) - rank(other);
}
