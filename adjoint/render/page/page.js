// What is open and what is selected.

const stage = document.getElementById("stage");
const byId = (id) => document.getElementById(id);
const painter = new Painter();
let view = null;
const eye = { x: 0, y: 0, zoom: 1 }; // world coordinates of the stage's upper left corner, pixels per unit
let selected = null;


/** Fold, lay out and draw; `anchor` stays where it is on the screen. */
function rebuild(anchor = null) {
  const before = anchor && { x: (anchor.x - eye.x) * eye.zoom, y: (anchor.y - anchor.h / 2 - eye.y) * eye.zoom };
  view = currentView();
  measureAll(view);
  layOut(view, data.direction === "right");
  painter.show(view);
  byId("caption").replaceChildren(tag("span", {}, captionOf(view)), ...data.facts.map(([name, text]) => tag("span", {}, `${name} ${text}`.trim())));
  legend();
  return before;
}

/** Look so that something is where another was. */
function keep(place, item) {
  eye.x = item.x - place.x / eye.zoom;
  eye.y = item.y - item.h / 2 - place.y / eye.zoom;
  look();
}

function toggle(item) {
  const closing = Boolean(item.children);
  const place = (() => {
    if (closing) {
      folded.add(item.group.number);
      const around = item.group;
      return [rebuild(item), () => around.box];
    }
    folded.delete(item.group.number);
    if (item.group.kind === "repeat" && item.group.items.length === 1 && item.group.items[0] < 0) {
      const inner = groups[-1 - item.group.items[0]];
      if (inner.kind === "scope") folded.delete(inner.number); // it has one outline with its repeat
    }
    return [rebuild(item), () => clusterOf(item.group)];
  })();
  const now = place[1]();
  if (now?.w) keep(place[0], now);
  select(now?.children ? firstBox(now) : now, { open: !panel.hidden });
}

const clusterOf = (group) =>
  view.clusters.find((c) => c.group === group || c.inner === group) ?? view.boxes.find((box) => box.node.position === group.leaves[0] && !box.group);

function firstBox(cluster) {
  let at = cluster;
  while (at.children) at = at.children[0];
  return at;
}

function reset() {
  foldAsFirst();
  rebuild();
  select(null);
  fit();
}

function openAll() {
  openUpTo(5000);
  rebuild();
  select(null);
  fit();
}

/** Select the box that shows a node, opening what hides it. */
function selectNode(position, options = {}) {
  const wasHidden = !view.boxes.some((box) => !box.group && box.node.position === shown[position]);
  const box = reveal(position);
  if (wasHidden) rebuild();
  const turn = Math.max(0, box.turns.indexOf(position));
  select(box, { open: true, turn, centre: true, ...options });
}

function select(box, { open = true, turn = 0, centre = false, focus = false } = {}) {
  selected = box;
  painter.mark(box);
  if (box === null || open) sidePanel.show(box, view, turn);
  if (box && (centre || open)) bring(box, centre);
  if (box && focus) painter.drawn.get(box)?.focus({ preventScroll: true });
}

const sidePanel = new Panel({
  select: (position) => selectNode(position),
  selectBox: (box) => select(box, { centre: true }),
  toggle,
  close: () => {
    const box = selected;
    sidePanel.show(null, view);
    (painter.drawn.get(box) ?? picture).focus({ preventScroll: true });
  },
});

function captionOf({ boxes: all, hidden }) {
  const drawn = all.filter((box) => !box.side);
  const count = (n, word, plural = `${word}s`) => `${n.toLocaleString("en")} ${n === 1 ? word : plural}`;
  const parts = [drawn.length === nodes.length ? count(nodes.length, "node") : `${count(nodes.length, "node")} in ${count(drawn.length, "box", "boxes")}`];
  const closed = drawn.filter((box) => box.group);
  for (const [kind, word] of [["scope", "scope"], ["repeat", "repeat"], ["kernel", "kernel"], ["run", "stretch"]]) {
    const n = closed.filter((box) => box.group.kind === kind).length;
    if (n) parts.push(`${count(n, word, word === "stretch" ? "stretches" : undefined)} closed`);
  }
  const times = view.clusters.filter((c) => c.count > 1).length + drawn.filter((box) => box.turns.length > 1 && !view.clusters.some((c) => c.count > 1 && contains(c, box))).length;
  if (times) parts.push(`${count(times, "repeat")} drawn once`);
  if (hidden) parts.push(`the ${hidden.toLocaleString("en")} weakest arrows are not drawn`);
  return parts.join(" · ");
}

function contains(cluster, box) {
  for (let at = box.parent; at; at = at.parent) if (at === cluster) return true;
  return false;
}
