// The graph as it was written into the page, and what is drawn of it when some of its groups are folded.
// Folding follows adjoint/render/views.py; a test compares the two.

const { abs, ceil, exp, floor, hypot, log10, max, min, sqrt } = Math;
const largest = (values) => values.reduce((a, b) => max(a, b), 0); // of any number of values
const data = JSON.parse(document.getElementById("data").textContent);
const texts = data.texts;

const numbersOf = (row) => {
  if (row === null) return null;
  if (!Array.isArray(row)) return { norm: abs(row), low: row, high: row, size: 1, finite: true, bins: [] };
  const [norm, low, high, size, finite, ...bins] = row;
  return { norm, low, high, size, finite: Boolean(finite), bins };
};

const nodes = data.nodes.map((row, position) => {
  const [number, operation, role, formula, name, scope, kind, bytes, place, flags, z, lam, note, symbols] = row;
  return {
    position, number, operation: texts[operation], role: texts[role], formula: texts[formula],
    name: texts[name], scope, kind: texts[kind], bytes, place, connected: Boolean(flags & 1),
    view: Boolean(flags & 2), active: flags & 4 ? Boolean(flags & 8) : null, z: numbersOf(z),
    lam: numbersOf(lam), note: texts[note], symbols: texts[symbols].split(" "),
  };
});

const orInfinite = (x) => x ?? Infinity; // JSON has null for what is not finite
const edges = data.edges.map(([from, to, ...contribution]) => [from, to, ...contribution.map(orInfinite)]);
const groups = data.groups.map(([name, kind, count, note, folded, items], number) => ({
  number, name: texts[name], kind, count, note: texts[note], items, parent: -1, leaves: [],
  startsFolded: Boolean(folded),
}));

// Which node stands for which: the same one in the first turn of a repeat, or what it is a view of.
const shown = Int32Array.from(nodes, (_, k) => k);
for (const [k, stands] of data.shown) shown[k] = stands;
const members = new Map();
shown.forEach((stands, k) => {
  if (!members.has(stands)) members.set(stands, []);
  members.get(stands).push(k);
});
const groupOf = new Int32Array(nodes.length).fill(-1); // the innermost around a node that is drawn

// A group's parent comes before it.
for (const group of groups) {
  for (const item of group.items) {
    if (item < 0) groups[-1 - item].parent = group.number;
    else groupOf[item] = group.number;
  }
}
for (let g = groups.length - 1; g >= 0; g--) {
  for (const item of groups[g].items) {
    if (item >= 0) groups[g].leaves.push(item);
    else for (const leaf of groups[-1 - item].leaves) groups[g].leaves.push(leaf);
  }
}

// Boxes that can be drawn: one for every node that stands for itself, then one for every group.
const rowsOf = (lines) => lines.map((line) => ({ text: texts[Array.isArray(line) ? line[0] : line], whose: Array.isArray(line) ? line[1] : 0 }));
const hasMultipliers = nodes.some((node) => node.lam !== null);
const boxes = data.boxes.map(([id, title, lam, lines, twin, twinLines = []]) => ({
  id, title: texts[title], lam: hasMultipliers ? orInfinite(lam) : null, rows: rowsOf(lines), twin: twin === undefined ? null : { title: texts[twin], rows: rowsOf(twinLines) },
}));
const boxOfLeaf = new Map();
[...members.keys()].sort((a, b) => a - b).forEach((position, k) => {
  const box = boxes[k];
  const turns = members.get(position).filter((m) => m === position || !nodes[m].view);
  Object.assign(box, { node: nodes[position], group: null, turns });
  boxOfLeaf.set(position, box);
});
groups.slice(1).forEach((group, k) => {
  const box = boxes[members.size + k];
  Object.assign(box, { node: nodes[group.leaves[0]], group, turns: [] });
  group.box = box;
});

const nodesOf = (box) =>
  box.group ? box.group.leaves.flatMap((leaf) => members.get(leaf)) : members.get(box.node.position);

const folded = new Set();
const foldAsFirst = () => {
  folded.clear();
  for (const group of groups) if (group.startsFolded) folded.add(group.number);
};
foldAsFirst();

/** What is drawn now: boxes, outlines as a tree of clusters, and arrows. */
function currentView() {
  const view = { boxes: [], clusters: [], arrows: [], hidden: 0 };
  const boxOf = new Int32Array(nodes.length).fill(-1);
  const root = { group: groups[0], parent: null, children: [], count: 1, depth: 0 };
  view.root = root;
  const stack = groups[0].items.map((item) => [item, root]).reverse();
  while (stack.length) {
    const [item, around] = stack.pop();
    let group = item < 0 ? groups[-1 - item] : null;
    if (group && !folded.has(group.number) && group.kind === "repeat" && group.items.length === 1 && group.items[0] >= 0) {
      stack.push([group.items[0], around]); // one box, which says how often
      continue;
    }
    if (!group || folded.has(group.number)) {
      const box = group ? group.box : boxOfLeaf.get(item);
      box.parent = around;
      for (const leaf of group ? group.leaves : [item]) boxOf[leaf] = view.boxes.length;
      view.boxes.push(box);
      around.children.push(box);
      continue;
    }
    const cluster = { group, parent: around, children: [], count: group.count, name: group.name, depth: around.depth + 1 };
    const inner = group.items.length === 1 && group.items[0] < 0 ? groups[-1 - group.items[0]] : null;
    if (group.kind === "repeat" && inner && inner.kind === "scope" && !folded.has(inner.number)) {
      cluster.name = cluster.name || inner.name; // a scope that repeats has one outline
      cluster.inner = inner;
      group = inner;
    }
    view.clusters.push(cluster);
    around.children.push(cluster);
    for (let k = group.items.length - 1; k >= 0; k--) stack.push([group.items[k], cluster]);
  }
  shown.forEach((stands, k) => (boxOf[k] = boxOf[stands]));
  view.boxes.forEach((box, k) => (box.index = k));
  view.arrows = arrowsOf(view, boxOf);
  view.ends = endsOf(view.boxes.map((box) => box.lam));
  const heat = logarithmic(view.ends);
  for (const box of view.boxes) box.heat = box.lam === null ? null : heat(box.lam);
  return view;
}

/** One arrow for each pair of boxes with an edge between; those of one folded box are inside it. */
function arrowsOf(view, boxOf) {
  const isView = (k) => nodes[k].view && shown[k] !== k;
  const found = new Map();
  for (const [from, to, contribution = null] of edges) {
    const a = boxOf[from], b = boxOf[to];
    if (a === b && (view.boxes[a].group || isView(to))) continue;
    const carried = shown[from] >= shown[to];
    const key = `${a} ${b} ${carried ? 1 : 0}`;
    let arrow = found.get(key);
    if (!arrow) {
      arrow = { source: view.boxes[a], target: view.boxes[b], a, b, carried, count: 0, contribution: null, label: "", kinds: new Set() };
      found.set(key, arrow);
    }
    arrow.count++;
    if (contribution !== null) arrow.contribution = hypot(arrow.contribution ?? 0, contribution);
    arrow.kinds.add(nodes[from].kind);
    if (isView(from) && !arrow.label) arrow.label = nodes[from].formula.replace("(·, ", "(").replace("(·)", "");
  }
  for (const arrow of found.values()) { // what crosses the border of a folded box
    if ((arrow.source.group || arrow.target.group) && arrow.kinds.size === 1 && !arrow.label) {
      arrow.label = (arrow.count > 1 ? `${arrow.count} of ` : "") + [...arrow.kinds][0];
    }
  }
  const all = [...found.values()].sort((p, q) => p.a - q.a || p.b - q.b || p.carried - q.carried);
  const weight = logarithmic(endsOf(all.map((arrow) => arrow.contribution)));
  for (const arrow of all) arrow.weight = arrow.contribution === null ? null : weight(arrow.contribution);
  return strongest(all, view);
}

/** All arrows in order; of very many the strongest, and at least one into every box: a tangle tells nothing. */
function strongest(all, view) {
  const most = 2 * view.boxes.length + 40;
  if (all.length <= most) return all;
  const strength = (p, q) => (q.contribution ?? 0) - (p.contribution ?? 0) || q.count - p.count || p.a - q.a || p.b - q.b;
  const nearest = new Map();
  for (const arrow of [...all].sort((p, q) => abs(p.b - p.a) - abs(q.b - q.a) || p.a - q.a)) {
    if (!nearest.has(arrow.b)) nearest.set(arrow.b, arrow);
  }
  const kept = new Set(nearest.values());
  for (const arrow of [...all].sort(strength)) {
    if (kept.size >= most) break;
    kept.add(arrow);
  }
  view.hidden = all.length - kept.size;
  return all.filter((arrow) => kept.has(arrow));
}

/** Both ends of a scale in decades: the smallest and the largest positive value, ½ to 3 decades apart. */
function endsOf(values) {
  let low = Infinity, high = 0;
  for (const x of values) {
    if (x > 0 && x < Infinity) {
      low = min(low, x);
      high = max(high, x);
    }
  }
  const top = log10(high);
  return high ? [min(max(log10(low), top - 3), top - 0.5), top] : null;
}

/** 0 to 1 between the ends of a scale; 1 for what is not finite. */
function logarithmic(ends) {
  if (!ends) return (x) => (x ? 1 : 0);
  return (x) => (x === 0 ? 0 : min(1, max(0, 1 - (ends[1] - log10(x)) / (ends[1] - ends[0]))));
}

/** The groups around a box or group that can be folded, the innermost first. */
function groupsAround(box) {
  const found = [];
  let g = box.group ? box.group.parent : groupOf[box.node.position];
  for (; g > 0; g = groups[g].parent) found.push(groups[g]);
  return found;
}

/** Open whatever hides a node; returns its box. */
function reveal(position) {
  const leaf = shown[position];
  for (let g = groupOf[leaf]; g > 0; g = groups[g].parent) folded.delete(g);
  return boxOfLeaf.get(leaf);
}

/** Open groups from the outside inwards while about `limit` boxes are drawn. */
function openUpTo(limit) {
  const queue = [groups[0]]; // a group is behind the one around it
  let drawn = currentView().boxes.length;
  for (const group of queue) {
    for (const item of group.items) if (item < 0) queue.push(groups[-1 - item]);
    const more = folded.has(group.number) ? group.items.length - 1 : 0;
    if (drawn + more > limit) continue;
    drawn += more;
    folded.delete(group.number);
  }
}
