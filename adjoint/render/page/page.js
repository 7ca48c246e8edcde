// What is open and what is selected.

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
  const said = [captionOf(view), ...data.facts.map(([name, text]) => `${name} ${text}`.trim())];
  byId("caption").replaceChildren(...said.map((text) => tag("span", {}, text)));
  legend();
  return before;
}

/** Look so that something is where another was. */
function keep(place, item) {
  eye.x = item.x - place.x / eye.zoom;
  eye.y = item.y - item.h / 2 - place.y / eye.zoom;
  look();
}

/** Open a closed group, or close an open one. */
function toggle(item) {
  const { group } = item, open = Boolean(item.children);
  if (open) folded.add(group.number);
  else {
    folded.delete(group.number);
    const inner = group.items[0] < 0 ? groups[-1 - group.items[0]] : null;
    // it has one outline with its repeat
    if (group.kind === "repeat" && group.items.length === 1 && inner?.kind === "scope") folded.delete(inner.number);
  }
  const place = rebuild(item), now = open ? group.box : clusterOf(group);
  keep(place, now);
  select(now.children ? firstBox(now) : now, { open: !panel.hidden });
}

const clusterAt = (group) => view.clusters.find((c) => c.group === group || c.inner === group);
const clusterOf = (group) => clusterAt(group) ?? view.boxes.find((box) => box.node.position === group.leaves[0] && !box.group);

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
  const turn = max(0, box.turns.indexOf(position));
  select(box, { open: true, turn, centre: true, ...options });
}

function select(box, { open = true, turn = 0, centre = false, focus = false } = {}) {
  selected = box;
  painter.mark(box);
  if (box === null || open) sidePanel.show(box, view, turn);
  if (box && (centre || open)) bring(box, centre);
  if (box && focus) refocus();
}

/** The focus to the selected box, or else to the picture. */
const refocus = () => (painter.drawn.get(selected) ?? picture).focus({ preventScroll: true });

const sidePanel = new Panel({
  select: (position) => selectNode(position),
  selectBox: (box) => select(box, { centre: true }),
  toggle,
  close: () => {
    sidePanel.show(null, view);
    refocus();
  },
});

function captionOf({ boxes: all, hidden }) {
  const count = (n, word, plural = word + "s") => `${n.toLocaleString("en")} ${n === 1 ? word : plural}`;
  const drawn = all.filter((box) => !box.side), closed = drawn.filter((box) => box.group).length;
  const repeats = new Set(drawn.filter((box) => box.turns.length > 1).map((box) => groupsAround(box).find((group) => group.count > 1)));
  return [
    count(nodes.length, "node") + (drawn.length === nodes.length ? "" : ` in ${count(drawn.length, "box", "boxes")}`),
    closed ? `${count(closed, "group")} closed` : "",
    repeats.size ? `${count(repeats.size, "repeat")} drawn once` : "",
    hidden ? `the ${hidden.toLocaleString("en")} weakest arrows are not drawn` : "",
  ].filter(Boolean).join(" · ");
}
