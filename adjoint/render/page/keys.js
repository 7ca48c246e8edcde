// Keys (page.html explains them), theme, legend, the Lagrangian, print; and the start.

/** The nearest box in a direction: distance along it counts once, distance across it three times. */
function neighbor(box, [dx, dy]) {
  let best = null, least = Infinity;
  for (const other of view.boxes) {
    const x = other.x - box.x, y = other.y - box.y;
    const along = dx * x + dy * y, across = abs(dx * y) + abs(dy * x);
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
  const around = selected && groupsAround(selected).map(clusterAt).find(Boolean);
  if (around) toggle(around);
}

const pan = (dx, dy) => {
  eye.x += (60 * dx) / eye.zoom;
  eye.y += (60 * dy) / eye.zoom;
  look();
};

const ACTIONS = {
  ArrowLeft: () => move([-1, 0]), ArrowRight: () => move([1, 0]), ArrowUp: () => move([0, -1]), ArrowDown: () => move([0, 1]),
  "[": () => along(-1), "]": () => along(1),
  Enter: () => selected && (selected.group ? toggle(selected) : select(selected)),
  " ": () => ACTIONS.Enter(),
  Backspace: closeAround, e: openAll, r: reset,
  "/": () => byId("query").select(), n: () => step(1), N: () => step(-1),
  f: () => fit(), "+": () => zoomBy(1.25), "=": () => zoomBy(1.25), "-": () => zoomBy(0.8),
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
    toggle(clusterUnder(target));
    return;
  }
  const act = ACTIONS[key];
  if (!act) return;
  event.preventDefault();
  act();
});

picture.addEventListener("focusin", (event) => {
  const box = boxAround(event.target);
  if (box && box.id !== selected?.id) select(box, { open: !panel.hidden });
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
  const { dataset } = document.documentElement;
  const dark = dataset.theme ? dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  dataset.theme = dark ? "light" : "dark";
}

// ------------------------------------------------------------------------------------------------ legend
/** The rows of the legend are in page.html; those that say something of what is drawn are shown. */
function legend() {
  const classes = new Set(view.boxes.flatMap((box) => classesOf(box).split(" ")));
  if (view.ends) {
    const [low, high] = view.ends.map((end) => digits(10 ** end));
    classes.add("heat");
    byId("low").textContent = `${data.heat} ≤ ${low}`;
    byId("high").textContent = high;
  }
  if (view.arrows.some((arrow) => arrow.weight !== null)) classes.add("weight");
  if (view.arrows.some((arrow) => arrow.carried)) classes.add("carried");
  for (const row of byId("legend").querySelectorAll("[data-when]")) row.hidden = !classes.has(row.dataset.when);
}

// ------------------------------------------------------------------------------------------- the Lagrangian
function typeset() {
  const drawer = byId("formula");
  if (!drawer.firstChild) {
    const math = mathOf(data.lagrangian);
    drawer.append(
      tag("button", { class: "close", "aria-label": "Close", onclick: typeset }, "×"),
      tag("h2", {}, "The Lagrangian"),
      tag("div", { class: "math", tabindex: "0" }, math),
    );
  }
  drawer.hidden = !drawer.hidden;
  byId("typeset").setAttribute("aria-pressed", String(!drawer.hidden));
  if (!drawer.hidden) drawer.focus();
  fit(false);
}

// ------------------------------------------------------------------------------------------------- print
// On paper the picture is all there is: whole, light, as large as the paper allows.
let onPaper = false;
function toPaper() {
  if (onPaper) return;
  onPaper = true;
  const { w, h } = view.root;
  picture.setAttribute("viewBox", `-12 -12 ${w + 24} ${h + 24}`); // a margin
  painter.world.removeAttribute("transform");
  painter.update({ x: w / 2, y: h / 2, w, h }, 1);
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
  byId("keys").addEventListener("click", (event) => event.target === byId("keys") && byId("keys").close());
  for (const button of document.querySelectorAll("[data-key]")) button.addEventListener("click", () => ACTIONS[button.dataset.key]());
  byId("legend").querySelector("details").open = innerWidth > 700;
  byId("mirror").hidden = !canMirror;
  byId("mirror").setAttribute("aria-pressed", String(mirrored));
  byId("typeset").hidden = !data.lagrangian;
  for (const id of ["open", "first"]) byId(id).hidden = groups.length < 2;
  picture.setAttribute("aria-label", `${data.title}. Arrow keys move between boxes, question mark lists all keys.`);
  rebuild();
  fit(false);
  addEventListener("resize", look);
}
start();
