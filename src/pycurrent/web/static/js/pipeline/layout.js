// Lays out containers from the inside out, each as its own diagram, in which an open container is
// one big box.
//
// Parts that no edge joins are laid out apart and then packed, so a list of two thousand items
// is a grid. Layouts are kept by their content: the items of a list are mostly alike.

import { Graph, layout as dagre } from "../../vendor/dagre.js";
import { inLayers } from "./layers.js";

const GAP = { x: 14, y: 12 };
const WIDEST = Math.max(900, innerWidth - 330); // of a grid: a box fits beside it on each side
const RATIO = 1.8;
const MOST_FOR_DAGRE = { parts: 220, edges: 900 }; // 0.2 s; above that it takes many seconds
const KEPT = 4000;
const HIGH = 300; // pixels: the middle of anything higher may be out of sight
const HOOK = 46;

/** A plan: where the parts, by their numbers, stand in an area of `w` × `h`; edges as points. */
export class Layouts {
  constructor() {
    this.plans = new Map();
  }

  /** The plan for parts of these sizes, and edges as pairs of their numbers. */
  plan(sizes, pairs) {
    const key = `${sizes.map(({ w, h }) => `${w},${h}`).join(" ")}|${pairs.join(" ")}`;
    let plan = this.plans.get(key);
    if (plan === undefined) {
      plan = this.make(sizes, pairs);
      if (this.plans.size >= KEPT) this.plans.delete(this.plans.keys().next().value);
    } else {
      this.plans.delete(key);
    }
    this.plans.set(key, plan);
    return plan;
  }

  make(sizes, pairs) {
    const parts = connected(sizes.length, pairs);
    if (parts.length === 1) return arrange(sizes, pairs);
    return this.pack(sizes, pairs, parts);
  }

  /** Lay out what is connected, and pack these blocks in their order. */
  pack(sizes, pairs, parts) {
    const place = new Map();
    parts.forEach((members, block) => {
      members.forEach((member, index) => place.set(member, { block, index }));
    });
    const inside = parts.map(() => []);
    pairs.forEach(([from, to], number) => {
      const { block, index } = place.get(from);
      inside[block].push({ pair: [index, place.get(to).index], number });
    });
    const blocks = parts.map((members, block) =>
      members.length === 1
        ? { ...sizes[members[0]], at: [{ x: 0, y: 0 }], lines: [] }
        : this.plan(
            members.map((member) => sizes[member]),
            inside[block].map(({ pair }) => pair),
          ),
    );
    const { w, h, at: corners } = grid(blocks);
    const at = [];
    const lines = [];
    parts.forEach((members, block) => {
      const { x, y } = corners[block];
      const plan = blocks[block];
      members.forEach((member, index) => {
        at[member] = { x: x + plan.at[index].x, y: y + plan.at[index].y };
      });
      inside[block].forEach(({ number }, index) => {
        lines[number] = plan.lines[index].map((point) => ({ x: x + point.x, y: y + point.y }));
      });
    });
    return { w, h, at, lines };
  }
}

/** The numbers of the parts that hang together, each in order, in the order of their first. */
function connected(count, pairs) {
  const leader = Array.from({ length: count }, (_, index) => index);
  const find = (part) => {
    while (leader[part] !== part) part = leader[part] = leader[leader[part]];
    return part;
  };
  for (const [from, to] of pairs) {
    const [one, other] = [find(from), find(to)];
    leader[Math.max(one, other)] = Math.min(one, other);
  }
  const found = new Map();
  for (let part = 0; part < count; part += 1) {
    const first = find(part);
    if (found.has(first)) found.get(first).push(part);
    else found.set(first, [part]);
  }
  return [...found.values()];
}

/** Blocks in rows, or one below the other, whichever leaves less of the area empty. */
function grid(blocks) {
  const widest = Math.max(...blocks.map(({ w }) => w));
  const area = blocks.reduce((sum, { w, h }) => sum + (w + GAP.x) * (h + GAP.y), 0);
  const width = Math.max(widest, Math.min(WIDEST, Math.sqrt(area * RATIO)));
  const mean = blocks.reduce((sum, { w }) => sum + w, 0) / blocks.length;
  const isEven = widest < 1.7 * mean;
  const column = inRows(blocks, widest, widest);
  const rows = inRows(blocks, width, isEven ? widest : null);
  return emptiness(rows) < emptiness(column) ? rows : column;
}

/** Blocks in rows of this width; each takes `cell`, or (null) as much of it as it needs. */
function inRows(blocks, width, cell) {
  const at = [];
  let [x, y, high, right] = [0, 0, 0, 0];
  for (const { w, h } of blocks) {
    const room = cell ?? w;
    if (x > 0 && x + room > width) {
      y += high + GAP.y;
      [x, high] = [0, 0];
    }
    at.push({ x, y });
    right = Math.max(right, x + w);
    high = Math.max(high, h);
    x += room + GAP.x;
  }
  return { w: right, h: y + high, at };
}

/** How large it is, what is far too high or wide counting as larger. */
function emptiness({ w, h }) {
  return w * h * (1 + 0.2 * Math.abs(Math.log(w / h / RATIO)));
}

/** Lay out parts that hang together. */
function arrange(sizes, pairs) {
  if (sizes.length === 1) return { ...sizes[0], at: [{ x: 0, y: 0 }], lines: [] };
  const { parts, edges } = MOST_FOR_DAGRE;
  if (sizes.length > parts || pairs.length > edges) return inLayers(sizes, pairs);
  return byDagre(sizes, pairs);
}

function byDagre(sizes, pairs) {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 14, edgesep: 10, ranksep: 38 });
  graph.setDefaultEdgeLabel(() => ({}));
  sizes.forEach(({ w, h }, index) => graph.setNode(String(index), { width: w, height: h }));
  for (const [from, to] of pairs) graph.setEdge(String(from), String(to));
  dagre(graph);
  const nodes = sizes.map((_, index) => graph.node(String(index)));
  const layers = layersOf(nodes);
  const { width, height } = graph.graph();
  if (height > HIGH) raise(nodes, pairs, layers);
  const at = nodes.map(({ x, y, width: w, height: h }) => ({ x: x - w / 2, y: y - h / 2 }));
  const lines = pairs.map(([from, to]) => {
    const [start, end] = [nodes[from].x + nodes[from].width / 2, at[to].x];
    const bends = graph.edge(String(from), String(to)).points.slice(1, -1);
    // To the next layer a line needs none.
    const passes = [...layers.keys()].some((x) => x > start && x < end);
    return [
      { x: start, y: at[from].y + hook(nodes[from].height) },
      ...(passes ? bends.filter(({ x }) => x > start && x < end) : []),
      { x: end, y: at[to].y + hook(nodes[to].height) },
    ];
  });
  return { w: width, h: height, at, lines };
}

/** The parts that are below each other, by their x position. */
function layersOf(nodes) {
  const layers = new Map();
  for (const node of nodes) {
    const x = Math.round(node.x);
    const layer = layers.get(x);
    if (layer === undefined) layers.set(x, [node]);
    else layer.push(node);
  }
  return layers;
}

/** Where, from its top, lines are fastened to a part: where it is seen, if it is high. */
function hook(height) {
  return Math.min(height / 2, HOOK);
}

/**
 * Move what is alone in its layer up, to the height at which lines are fastened: beside a list
 * that is several screens high it would not be found in the middle.
 */
function raise(nodes, pairs, layers) {
  const spans = pairs.map(([from, to]) => [nodes[from].x, nodes[to].x]);
  const alone = [...layers].flatMap(([x, layer]) => {
    const isPassed = spans.some(([from, to]) => from < x - 1 && to > x + 1);
    return layer.length === 1 && !isPassed ? layer : [];
  });
  const level = Math.max(0, ...alone.map(({ height }) => hook(height)));
  for (const node of alone) node.y = level - hook(node.height) + node.height / 2;
}
