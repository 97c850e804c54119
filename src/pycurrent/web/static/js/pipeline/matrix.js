// The pipeline as tables: one for each list, with what it runs over as rows and its components as
// columns, and one for the stages that are in no list.
//
// A column holds the stages that do the same for each item. Their labels differ by what they are
// for, so a label counts without the names of its items, and without what looks like a digest.
// Where even that differs from row to row, the place of a stage in its row decides.

const STAGES = new Set(["component", "bind", "fold"]);
const DIGEST = /\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b/g;
const GAP = "…";

export class Row {
  constructor(label, part, parent) {
    this.label = label;
    this.part = part;
    this.parent = parent;
    this.depth = parent === null ? 0 : parent.depth + 1;
    /** That of the item or box, or of the list for what its items share. */
    this.id = part.item?.id ?? part.id;
    this.rows = [];
    /** Its own stages, in their order, and by the keys of columns. */
    this.boxes = [];
    this.cells = new Map();
  }

  /** Its own stages, and those of the rows below it. */
  *all() {
    yield* this.boxes;
    for (const row of this.rows) yield* row.all();
  }
}

export class Section {
  constructor(title, list) {
    this.title = title;
    this.list = list;
    this.rows = [];
    this.columns = [];
  }

  get isNested() {
    return this.rows.some(({ rows }) => rows.length > 0);
  }

  get count() {
    let count = 0;
    const open = [...this.rows];
    while (open.length > 0) {
      count += 1;
      open.push(...open.pop().rows);
    }
    return count;
  }
}

/** The sections of a tree; the stages in no list come last. */
export function sectionsOf(tree) {
  const sections = [];
  const loose = new Section("Stages", null);
  const open = [tree.root];
  while (open.length > 0) {
    const container = open.pop();
    for (const child of [...container.children].reverse()) {
      if (!child.isContainer) continue;
      if (child.remote !== null) loose.rows.push(stageRow(child.remote));
      else if (child.kind === "list") sections.push(sectionOf(child));
      else open.push(child);
    }
    for (const child of container.children) {
      if (!child.isContainer && STAGES.has(child.kind)) loose.rows.push(stageRow(child));
    }
  }
  // Found from the last to the first.
  sections.reverse();
  if (loose.rows.length > 0) sections.push(loose);
  return sections;
}

function stageRow(box) {
  const row = new Row(box.title, box, null);
  row.boxes.push(box);
  return row;
}

/** The row of a closed list. */
function closedRow(container, parent) {
  const row = new Row(container.title, container, parent);
  row.boxes.push(container.remote);
  return row;
}

function sectionOf(list) {
  const title = list.parent.parent === null ? list.title : `${list.parent.title} › ${list.title}`;
  const section = new Section(title, list);
  section.rows = rowsOf(list, null);
  assign(section);
  return section;
}

/** A row for each item of a list, and one for what its items share. */
function rowsOf(list, parent) {
  const rows = [];
  const shared = new Row("(all)", list, parent);
  for (const child of list.children) {
    if (child.kind === "item") {
      const row = new Row(child.title, child, parent);
      if (child.isContainer) fill(row, child);
      rows.push(row);
    } else if (child.rowLabel !== undefined) {
      const row = new Row(child.rowLabel, child, parent);
      if (STAGES.has(child.kind)) row.boxes.push(child);
      rows.push(row);
    } else if (child.isContainer && child.remote !== null) {
      rows.push(closedRow(child, parent));
    } else if (child.kind === "range") {
      rows.push(...rowsOf(child, parent));
    } else if (child.kind === "list") {
      shared.rows.push(...rowsOf(child, shared));
    } else if (child.isContainer) {
      fill(shared, child);
    } else if (STAGES.has(child.kind)) {
      shared.boxes.push(child);
    }
  }
  if (shared.boxes.length > 0 || shared.rows.length > 0) rows.push(shared);
  return rows;
}

/** Put what is in a container into a row; lists within it become rows below. */
function fill(row, container) {
  for (const child of container.children) {
    if (child.isContainer && child.remote !== null) row.rows.push(closedRow(child, row));
    else if (child.kind === "list") row.rows.push(...rowsOf(child, row));
    else if (child.isContainer) fill(row, child);
    else if (STAGES.has(child.kind)) row.boxes.push(child);
  }
}

function assign(section) {
  const rows = everyRow(section);
  const most = Math.max(0, ...rows.map((row) => row.boxes.length));
  let columns = columnsBy(rows, (row, box) => keyOf(row, box));
  if (columns.length > Math.max(12, 3 * most)) columns = columnsBy(rows, (row, _, place) => `#${row.depth}.${place}`);
  section.columns = merged(rows, columns);
}

/**
 * A label of which a part is not known yet ends early: `test …` will be `test main`. A column
 * that begins like another one, which no row has as well, is the same.
 */
function merged(rows, columns) {
  const kept = [];
  for (const column of [...columns].sort((one, other) => other.title.length - one.title.length)) {
    const same = kept.find((other) => begins(other.title, column.title) && areApart(rows, column, other));
    if (same === undefined) kept.push(column);
    else {
      same.title = column.title;
      for (const { cells } of rows) {
        if (cells.has(column.key)) cells.set(same.key, cells.get(column.key));
        cells.delete(column.key);
      }
    }
  }
  return columns.filter((column) => kept.includes(column));
}

function begins(title, start) {
  return title.startsWith(start) && !/\w/.test(title.charAt(start.length));
}

function areApart(rows, column, other) {
  return rows.every(({ cells }) => !cells.has(column.key) || !cells.has(other.key));
}

function everyRow(section) {
  const rows = [];
  const open = [...section.rows].reverse();
  while (open.length > 0) {
    const row = open.pop();
    rows.push(row);
    open.push(...[...row.rows].reverse());
  }
  return rows;
}

/** A box that a row has twice stands in one cell with the first. */
function columnsBy(rows, key) {
  const columns = new Map();
  for (const row of rows) {
    row.cells.clear();
    row.boxes.forEach((box, place) => {
      const name = key(row, box, place);
      let column = columns.get(name);
      if (column === undefined) columns.set(name, (column = { key: name, title: titleOf(row, box) }));
      else if (column.title !== titleOf(row, box)) column.title = common(column.title, titleOf(row, box));
      const cell = row.cells.get(name);
      if (cell === undefined) row.cells.set(name, [box]);
      else cell.push(box);
    });
  }
  return [...columns.values()];
}

function keyOf(row, box) {
  if (box.kind === "fold") return `fold ${box.fold.key}`;
  if (box.kind === "list") return "closed list";
  return titleOf(row, box);
}

/** A label without what it is for. */
function titleOf(row, box) {
  if (box.kind === "fold") return box.fold.key;
  if (box.kind === "list") return "closed";
  let text = box.title;
  for (let here = row; here !== null; here = here.parent) {
    if (here.label.length > 0) text = text.split(here.label).join(GAP);
  }
  text = text.replace(DIGEST, GAP).replace(/\s*…(\s*…)*\s*/g, " … ").trim();
  return text.replace(/^([\s/:.-]*…)+[\s/:.-]*|([\s/:.-]*…)+[\s/:.-]*$/g, "").trim() || box.title;
}

function common(one, other) {
  const [words, others] = [one.split(" "), other.split(" ")];
  const same = words.filter((word, index) => word === others[index]);
  return same.join(" ") || GAP;
}
