// Finds the part next to another one, for the arrow keys.

const SIDEWAYS = 2.5; // how much more it counts to be off the way than to be far

/** The nearest part in a direction, or null. Of a frame its head counts. */
export function neighbour(areas, parts, current, direction, open) {
  if (!areas.has(current)) return parts[0] ?? null;
  const middle = (part) => {
    const { x, y, w, h } = areas.get(part);
    return open.has(part) ? { x: x + Math.min(w / 2, 90), y: y + 15 } : { x: x + w / 2, y: y + h / 2 };
  };
  const here = middle(current);
  let best = null;
  let least = Infinity;
  for (const part of parts) {
    if (part === current || part.kind === "junction") continue;
    const there = middle(part);
    const [dx, dy] = [there.x - here.x, there.y - here.y];
    const [along, across] = {
      left: [-dx, dy],
      right: [dx, dy],
      up: [-dy, dx],
      down: [dy, dx],
    }[direction];
    if (along < 4) continue;
    const distance = along + SIDEWAYS * Math.abs(across);
    if (distance < least) [best, least] = [part, distance];
  }
  return best;
}
