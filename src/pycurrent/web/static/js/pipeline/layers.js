// A simple layout for diagrams that are too large for a good one, in time proportional to the number
// of edges. Each part is in the layer behind the last of the parts that it waits for; crowded layers
// are broken into several columns; two sweeps bring joined parts near to each other.

const GAP = { x: 46, y: 10, column: 14 };
const HIGHEST = 40; // parts of a column

export function inLayers(sizes, pairs) {
  const layers = ordered(sizes.length, pairs);
  const at = new Array(sizes.length);
  const columns = layers.map((layer) => broken(layer, sizes));
  const h = Math.max(...columns.flat().map((column) => column.h));
  let x = 0;
  for (const layer of columns) {
    for (const { members, w, h: own } of layer) {
      let y = (h - own) / 2;
      for (const part of members) {
        at[part] = { x, y };
        y += sizes[part].h + GAP.y;
      }
      x += w + GAP.column;
    }
    x += GAP.x - GAP.column;
  }
  const lines = pairs.map(([from, to]) => [
    { x: at[from].x + sizes[from].w, y: at[from].y + sizes[from].h / 2 },
    { x: at[to].x, y: at[to].y + sizes[to].h / 2 },
  ]);
  return { w: x - GAP.x, h, at, lines };
}

function ordered(count, pairs) {
  const targets = Array.from({ length: count }, () => []);
  const sources = Array.from({ length: count }, () => []);
  for (const [from, to] of pairs) {
    targets[from].push(to);
    sources[to].push(from);
  }
  const layers = [];
  depths(targets, sources).forEach((depth, part) => (layers[depth] ??= []).push(part));
  const place = new Float64Array(count);
  const number = (layer) => layer.forEach((part, index) => (place[part] = index / layer.length));
  layers.forEach(number);
  const sweep = (layer, neighbours) => {
    const wish = new Map(layer.map((part) => [part, mean(neighbours[part], place, place[part])]));
    layer.sort((one, other) => wish.get(one) - wish.get(other) || one - other);
    number(layer);
  };
  for (const layer of layers.slice(1)) sweep(layer, sources);
  for (const layer of layers.slice(0, -1).reverse()) sweep(layer, targets);
  return layers;
}

/** How many parts stand before each. Where parts wait for each other in a circle, it is cut. */
function depths(targets, sources) {
  const waiting = sources.map((list) => list.length);
  const depth = new Array(sources.length).fill(0);
  const ready = waiting.flatMap((number, part) => (number === 0 ? [part] : []));
  const done = new Set(ready);
  let next = 0;
  for (let index = 0; done.size < sources.length || index < ready.length; index += 1) {
    if (index === ready.length) {
      while (done.has(next)) next += 1;
      done.add(next);
      ready.push(next);
    }
    const part = ready[index];
    for (const target of targets[part]) {
      if (done.has(target)) continue;
      depth[target] = Math.max(depth[target], depth[part] + 1);
      waiting[target] -= 1;
      if (waiting[target] === 0) {
        done.add(target);
        ready.push(target);
      }
    }
  }
  return depth;
}

function mean(neighbours, place, otherwise) {
  if (neighbours.length === 0) return otherwise;
  return neighbours.reduce((sum, part) => sum + place[part], 0) / neighbours.length;
}

function broken(layer, sizes) {
  const columns = [];
  const count = Math.ceil(layer.length / HIGHEST);
  const size = Math.ceil(layer.length / count);
  for (let first = 0; first < layer.length; first += size) {
    const members = layer.slice(first, first + size);
    const w = Math.max(...members.map((part) => sizes[part].w));
    const h = members.reduce((sum, part) => sum + sizes[part].h + GAP.y, -GAP.y);
    columns.push({ members, w, h });
  }
  return columns;
}
