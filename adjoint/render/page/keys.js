// Keys, theme, legend, the Lagrangian's drawer, print; and the start.

const KEYS = [
  ["← ↑ → ↓", "to the nearest box that way"],
  ["[  ]", "to the box before or after in the program"],
  ["Enter", "open a closed group; the side panel of any other box"],
  ["Backspace", "close the group around the box"],
  ["e  r", "open all groups; back to the first view"],
  ["/", "search; Enter and Shift+Enter, ↓ and ↑ step through results"],
  ["n  N", "next and previous result"],
  ["f  +  −", "show all, zoom in, zoom out"],
  ["w  a  s  d", "move the picture"],
  ["i  Esc", "into the side panel, and out of it"],
  ["m", "the adjoint sweep beside the program"],
  ["l", "the Lagrangian, where there is one"],
  ["t", "light or dark"],
  ["?", "these keys"],
];

/** The nearest box in a direction: distance along it counts once, distance across it three times. */
function neighbor(box, [dx, dy]) {
  let best = null, least = Infinity;
  for (const other of view.boxes) {
    const x = other.x - box.x, y = other.y - box.y;
    const along = dx * x + dy * y, across = Math.abs(dx * y) + Math.abs(dy * x);
    if (along > 2 && along + 3 * across < least) {
      least = along + 3 * across;
      best = other;
    }
  }
  return best;
}

function move(direction) {
  const box = selected ? neighbor(selected, direction) : view.boxes[0];
  if (box) select(box, { open: !panel.hidden, centre: true, focus: true });
}

function along(by) {
  const at = selected ? view.boxes.indexOf(selected) + by : 0;
  if (view.boxes[at]) select(view.boxes[at], { open: !panel.hidden, centre: true, focus: true });
}

function closeAround() {
  const around = selected && groupsAround(selected).find((group) => clusterAt(group));
  if (around) toggle(clusterAt(around));
}
const clusterAt = (group) => view.clusters.find((c) => c.group === group || c.inner === group);

const PAN = 60;
const pan = (dx, dy) => {
  eye.x += (dx * PAN) / eye.zoom;
  eye.y += (dy * PAN) / eye.zoom;
  look();
};

const ACTIONS = {
  ArrowLeft: () => move([-1, 0]), ArrowRight: () => move([1, 0]), ArrowUp: () => move([0, -1]), ArrowDown: () => move([0, 1]),
  "[": () => along(-1), "]": () => along(1),
  Enter: () => selected && (selected.group ? toggle(selected) : select(selected)),
  " ": () => ACTIONS.Enter(),
  Backspace: closeAround, e: openAll, r: reset,
  "/": () => byId("query").select(), n: () => step(1), N: () => step(-1),
  f: () => fit(), "+": () => zoomBy(1.25), "=": () => zoomBy(1.25), "-": () => zoomBy(0.8), "−": () => zoomBy(0.8),
  w: () => pan(0, -1), a: () => pan(-1, 0), s: () => pan(0, 1), d: () => pan(1, 0),
  i: () => selected && (select(selected), panel.focus()),
  m: () => canMirror && turn(),
  l: () => data.lagrangian && typeset(), t: () => theme(), "?": () => byId("keys").showModal(),
  Escape: () => (panel.hidden ? select(null) : sidePanel.actions.close()),
};

addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input") || byId("keys").open) return;
  if (target.matches("button") && (key === "Enter" || key === " ")) return;
  if (panel.contains(target) && key.startsWith("Arrow")) return;
  if (target.closest(".header") && (key === "Enter" || key === " ")) {
    toggle(view.clusters.find((c) => c.group.number === Number(target.dataset.group)));
    return;
  }
  const act = ACTIONS[key];
  if (!act) return;
  event.preventDefault();
  act();
});

picture.addEventListener("focusin", (event) => {
  const at = event.target.closest(".box");
  if (at && at.dataset.id !== selected?.id) select(view.boxes.find((one) => one.id === at.dataset.id), { open: !panel.hidden });
});

/** The adjoint sweep beside the program, or both in one box. */
function turn() {
  mirrored = !mirrored;
  byId("mirror").setAttribute("aria-pressed", String(mirrored));
  rebuild();
  select(null);
  fit(false);
}

// ------------------------------------------------------------------------------------------------- theme
function theme() {
  const dark = isDark();
  document.documentElement.dataset.theme = dark ? "light" : "dark";
}
const isDark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

// ------------------------------------------------------------------------------------------------ legend
function sample(classes, square, extra = "") {
  const drawing = element("svg", { viewBox: "-5 -6 38 26", class: "sample", "aria-hidden": "true" });
  const g = element("g", { class: `box ${classes}` });
  if (extra === "stack") g.append(element("rect", { class: "plate", x: 4, y: -4, width: 26, height: 16, rx: 1.5 }));
  if (extra === "double") g.append(element("rect", { class: "double", x: -3, y: -3, width: 32, height: 22, rx: square ? 4 : 9 }));
  g.append(element("rect", { class: "plate", width: 26, height: 16, rx: square ? 1.5 : 6 }));
  drawing.append(g);
  return drawing;
}

function legend() {
  const has = (test) => view.boxes.some(test);
  const rows = [];
  const add = (test, drawing, text) => has(test) && rows.push([drawing, text]);
  add((b) => !b.group && b.node.role === "input", sample("role-input", true), data.subject === "compiled" ? "argument" : "input");
  add((b) => !b.group && b.node.role === "parameter", sample("role-parameter", true, "double"), "parameter");
  add((b) => !b.group && b.node.role === "operation", sample("role-operation", false), "operation");
  add((b) => !b.group && b.node.role === "constraint" && b.node.active === null, sample("role-constraint", false), "constraint");
  add((b) => !b.group && ["output", "objective"].includes(b.node.role), sample("role-output", false, "double"), data.subject === "problem" ? "objective" : data.subject === "lagrangian" ? "loss" : "output");
  add((b) => b.node.active === true && !b.group, sample("role-constraint active", false), "binds");
  add((b) => b.node.active === false && !b.group, sample("role-constraint slack", false), "slack");
  add((b) => b.group, sample("role-group", true, "stack"), "closed group");
  const list = tag("ul", {}, ...rows.map(([drawing, text]) => tag("li", {}, drawing, text)));
  const norms = view.boxes.map((box) => box.lam).filter((x) => x > 0 && x < Infinity);
  const heat = hasMultipliers && norms.length ? tag("div", { class: "scale" }, tag("span", {}, `${data.heat} ${digits(norms.reduce((a, b) => Math.min(a, b)))}`), tag("i", {}), tag("span", {}, digits(norms.reduce((a, b) => Math.max(a, b))))) : null;
  const wide = view.arrows.some((a) => a.weight !== null) ? tag("p", {}, "wide arrow: large ‖(∂f/∂z)ᵀλ‖ · dotted: none") : null;
  const turn = view.arrows.some((a) => a.carried) ? tag("p", {}, "dashed arrow: to the next turn") : null;
  const open = byId("legend").querySelector("details")?.open ?? innerWidth > 700;
  const details = tag("details", { open }, tag("summary", {}, "Legend"), heat, list, wide, turn);
  byId("legend").replaceChildren(details);
}

// ------------------------------------------------------------------------------------------- the Lagrangian
function typeset() {
  const drawer = byId("formula");
  if (!drawer.firstChild) {
    const math = mathOf(data.lagrangian);
    drawer.append(tag("button", { class: "close", "aria-label": "Close", onclick: typeset }, "×"), tag("h2", {}, "The Lagrangian"), tag("div", { class: "math", tabindex: "0" }, math));
  }
  drawer.hidden = !drawer.hidden;
  byId("typeset").setAttribute("aria-pressed", String(!drawer.hidden));
  if (!drawer.hidden) drawer.focus({ preventScroll: true });
  fit(false);
}

// ------------------------------------------------------------------------------------------------- print
// On paper the picture is all there is: whole, light, as large as the paper allows.
let onPaper = false;
function toPaper() {
  if (onPaper) return;
  onPaper = true;
  const { w, h } = view.root, margin = 12;
  picture.setAttribute("viewBox", `${-margin} ${-margin} ${w + 2 * margin} ${h + 2 * margin}`);
  painter.world.removeAttribute("transform");
  painter.update({ left: -margin, right: w + margin, top: -margin, bottom: h + margin }, 1);
}
function fromPaper() {
  if (!onPaper) return;
  onPaper = false;
  picture.removeAttribute("viewBox");
  look();
}
addEventListener("beforeprint", toPaper);
addEventListener("afterprint", fromPaper);

// ------------------------------------------------------------------------------------------------- start
function start() {
  byId("title").textContent = data.title;
  byId("title").title = data.title;
  byId("keys").append(tag("form", { method: "dialog" }, tag("h2", { id: "keys-title" }, "Keys"),
    list(KEYS), tag("p", {}, "Drag moves the picture, the wheel or two fingers zoom. A click selects a box, a second click opens a closed one; a click on the title of an open group closes it."),
    tag("button", { class: "wide" }, "Close")));
  byId("keys").addEventListener("click", (event) => event.target === byId("keys") && byId("keys").close());
  const click = (id, act) => byId(id).addEventListener("click", () => act());
  click("fit", () => fit());
  click("smaller", () => zoomBy(0.8));
  click("larger", () => zoomBy(1.25));
  click("open", openAll);
  click("first", reset);
  click("theme", theme);
  click("help", () => byId("keys").showModal());
  click("next", () => step(1));
  click("previous", () => step(-1));
  click("mirror", turn);
  byId("mirror").hidden = !canMirror;
  byId("mirror").setAttribute("aria-pressed", String(mirrored));
  click("typeset", typeset);
  byId("typeset").hidden = !data.lagrangian;
  for (const id of ["open", "first"]) byId(id).hidden = groups.length < 2;
  picture.setAttribute("aria-label", `${data.title}. Arrow keys move between boxes, question mark lists all keys.`);
  rebuild();
  fit(false);
  addEventListener("resize", look);
}
start();
