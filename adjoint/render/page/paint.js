// Drawing a laid-out view as SVG. Above 2000 boxes only what is in view is drawn, and where even that is too
// much, boxes become plain rectangles in one path per shade.

const SVG = "http://www.w3.org/2000/svg";
const picture = document.getElementById("picture");
const TYPE = { title: 13, line: 11, step: 15.5, padding: 9, bars: 46, bar: 11 };
const VIRTUAL = 2000;
const SHADES = 6; // of plain rectangles

function element(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, x] of Object.entries(attributes)) if (x !== null) made.setAttribute(key, x);
  made.append(...children);
  return made;
}

const ruler = document.createElement("canvas").getContext("2d");
const widths = new Map();
function widthOf(text, size, weight = 400) {
  const key = `${weight} ${size} ${text}`;
  if (!widths.has(key)) {
    ruler.font = `${weight} ${size}px ${FONT}`;
    widths.set(key, ruler.measureText(text).width);
  }
  return widths.get(key);
}
const FONT = getComputedStyle(document.body).fontFamily;

/** What is drawn beside a line: the histogram of an array, or norms over the turns of a repeat. */
function barsOf(box, whose) {
  if (box.group || !whose) return [];
  const key = whose === 1 ? "z" : "lam";
  const values = box.turns.length > 1 ? box.turns.map((t) => nodes[t][key]?.norm ?? 0) : box.node[key]?.bins ?? [];
  return thinned(values, 24);
}

/** A row of at most that many, the largest of each stretch. */
function thinned(values, most) {
  const size = max(1, ceil(values.length / most));
  const rows = [];
  for (let k = 0; k < values.length; k += size) rows.push(largest(values.slice(k, k + size)));
  return rows;
}

function barPath(values, width, height) {
  const top = largest(values);
  if (!(top > 0) || top === Infinity) return "";
  const step = width / values.length;
  const gap = step > 3 ? 1 : 0.25 * step;
  return values
    .map((x, k) => (x > 0 ? `M${r(k * step)} ${height}v${-r(max(1, (height * x) / top))}h${r(step - gap)}V${height}z` : ""))
    .join("");
}

const r = (x) => Math.round(x * 10) / 10;
const at = (x, y) => `translate(${r(x)} ${r(y)})`;

/** Sizes of boxes and titles of outlines, before the layout. */
function measureAll(view) {
  for (const box of view.boxes) {
    if (box.measured === mirrored) continue;
    box.measured = mirrored;
    const twin = mirrored && box.twin;
    box.said = twin ? box.rows.filter((row) => row.whose !== 2) : box.rows;
    const rows = twin ? [...box.said, ...twin.rows] : box.said;
    for (const row of rows) row.bars ??= barsOf(box, row.whose);
    const widest = rows.map((row) => widthOf(row.text, TYPE.line) + (row.bars.length ? TYPE.bars + 8 : 0));
    const titles = [box.title, twin ? twin.title : ""].map((text) => widthOf(text, TYPE.title, 600) + (box.group ? 18 : 0));
    box.w = ceil(max(56, ...titles, ...widest) + 2 * TYPE.padding);
    box.h = TYPE.padding * 1.5 + 17 + max(box.said.length, twin ? twin.rows.length : 0) * TYPE.step;
  }
  for (const cluster of view.clusters) {
    cluster.title = clip(clusterTitle(cluster), 60);
    cluster.note = clip(cluster.group.note, 40);
    cluster.titleWidth = 18 + widthOf(cluster.title, 12, 600) + (cluster.note ? 8 + widthOf(cluster.note, 11) : 0);
  }
}

const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const clusterTitle = ({ name, count, group }) =>
  [name || (count > 1 ? "" : group.kind), count > 1 ? `× ${count}` : ""].filter(Boolean).join(" ");

class Painter {
  constructor() {
    this.world = element("g", { id: "world" });
    this.layers = ["clusters", "far", "arrows", "headers", "boxes"].map((name) => element("g", { class: name }));
    this.world.append(...this.layers);
    picture.append(this.world);
    this.drawn = new Map(); // box, arrow or cluster → its element
    this.selected = null;
  }

  /** Take a new view; nothing is drawn before `update`. */
  show(view) {
    this.view = view;
    this.virtual = view.boxes.length > VIRTUAL;
    for (const layer of this.layers) layer.replaceChildren();
    this.drawn.clear();
    for (const arrow of view.arrows) arrow.path = arrow.loose ? loosePath(arrow, view) : smooth(arrow.points, view.right);
    picture.classList.toggle("dense", view.arrows.length > max(2 * view.boxes.length, 60));
    if (this.virtual) return;
    this.draw(view.boxes, view.arrows, view.clusters);
    if (mirrored) this.layers[1].append(...drawTies(view));
  }

  /** Draw what a window in world coordinates shows: its center, width and height. */
  update(area, zoom) {
    picture.classList.toggle("small", zoom < 0.3);
    if (!this.virtual) return;
    const inside = (item) =>
      abs(item.x - area.x) < (item.w + area.w) / 2 && abs(item.y - area.y) < (item.h + area.h) / 2;
    const visible = this.view.boxes.filter(inside);
    const few = visible.length <= VIRTUAL && zoom > 0.12;
    this.layers[1].replaceChildren(...(few ? [] : plainBoxes(visible)));
    const seen = new Set(few ? visible : []);
    const arrows = few ? this.view.arrows.filter((a) => seen.has(a.source) || seen.has(a.target)) : [];
    const wanted = new Set([...seen, ...arrows, ...this.view.clusters.filter((c) => inside(c) && c.w * zoom > 4)]);
    for (const [item, drawn] of this.drawn) {
      if (!wanted.has(item)) {
        drawn.remove();
        drawn.header?.remove();
        this.drawn.delete(item);
      }
    }
    const fresh = (list) => list.filter((item) => !this.drawn.has(item));
    this.draw(fresh([...seen]), fresh(arrows), fresh(this.view.clusters.filter((c) => wanted.has(c))));
  }

  draw(boxes, arrows, clusters) {
    const add = (layer, items, draw) => {
      const made = items.map((item) => {
        const drawn = draw(item);
        this.drawn.set(item, drawn);
        return drawn;
      });
      layer.append(...made);
    };
    add(this.layers[0], clusters, drawCluster);
    add(this.layers[2], arrows, drawArrow);
    add(this.layers[4], boxes, drawBox);
    this.layers[3].append(...clusters.map((cluster) => this.drawn.get(cluster).header));
    this.mark(this.selected);
  }

  /** Outline a box and the arrows at it. */
  mark(box) {
    this.selected = box;
    for (const [item, drawn] of this.drawn) {
      if (item.source) {
        drawn.classList.toggle("entering", item.target === box);
        drawn.classList.toggle("leaving", item.source === box);
      } else if (!item.children) {
        drawn.classList.toggle("selected", item === box);
        drawn.setAttribute("aria-pressed", item === box);
        drawn.setAttribute("tabindex", item === box ? "0" : "-1");
      }
    }
  }
}

function plainBoxes(boxes) {
  const paths = Array.from({ length: SHADES + 1 }, () => []);
  for (const box of boxes) {
    paths[Math.round((box.heat ?? 0) * SHADES)].push(`M${r(box.x - box.w / 2)} ${r(box.y - box.h / 2)}h${r(box.w)}v${r(box.h)}h${r(-box.w)}z`);
  }
  return paths.map((d, shade) => {
    const path = element("path", { class: "plain", d: d.join("") });
    path.style.setProperty("--heat", shade / SHADES);
    return path;
  });
}

/** Role and state of a box. */
const classesOf = ({ group, node }) =>
  group ? "role-group" : `role-${node.role}${node.connected ? "" : " idle"}${node.active === null ? "" : node.active ? " active" : " slack"}`;

function drawBox(box) {
  const { node, group } = box;
  const role = group ? "group" : node.role;
  const g = element("g", {
    class: `box ${classesOf(box)}`,
    transform: at(box.x - box.w / 2, box.y - box.h / 2),
    role: "button", tabindex: "-1", "data-id": box.id, "aria-label": labelOf(box),
    "aria-expanded": group ? "false" : null,
  });
  g.style.setProperty("--heat", box.heat ?? 0);
  const square = role === "input" || role === "parameter";
  const corner = square || group ? 1.5 : 7;
  const line = 0.9 + 2.4 * (box.heat ?? 0);
  const around = (name, x, y, more) =>
    element("rect", { class: name, x, y, width: r(box.w + more), height: r(box.h + more), rx: corner + more / 2, "stroke-width": r(line) });
  const plate = (shift) => around("plate", shift, -shift, 0);
  if (group || box.turns.length > 1) g.append(plate(5), plate(2.5));
  else if (["parameter", "output", "objective"].includes(role)) g.append(around("double", -3.5, -3.5, 7));
  g.append(plate(0));
  g.append(element("text", { class: "title", x: TYPE.padding, y: 19 }, box.title));
  if (group) g.append(element("path", { class: "sign", d: `M${r(box.w - 20)} 14.5h9m-4.5 -4.5v9` }));
  box.said.forEach((row, k) => {
    const y = 19 + (k + 1) * TYPE.step;
    g.append(element("text", { class: row.whose ? "line number" : "line", x: TYPE.padding, y: r(y) }, row.text));
    if (row.bars.length) {
      const x = box.w - TYPE.padding - TYPE.bars;
      const d = barPath(row.bars, TYPE.bars, TYPE.bar);
      g.append(element("path", { class: "bars", d, transform: at(x, y - TYPE.bar + 1.5) }));
    }
  });
  return g;
}

const labelOf = (box) =>
  [box.title, ...box.said.map((row) => row.text), box.group ? "closed group, Enter opens it" : ""].filter(Boolean).join(", ");

function drawCluster(cluster) {
  const { x, y, w, h, group, depth } = cluster;
  const kind = cluster.count > 1 ? "repeat" : group.kind;
  const g = element("g", { class: `cluster kind-${kind} ${depth % 2 ? "odd" : "even"}`, transform: at(x - w / 2, y - h / 2) });
  if (kind === "repeat") g.append(element("rect", { class: "outline back", x: 4, y: -4, width: r(w), height: r(h), rx: 9 }));
  g.append(element("rect", { class: "outline", width: r(w), height: r(h), rx: 9 }));
  const header = element("g", {
    class: "header", role: "button", tabindex: "-1", "aria-expanded": "true", "data-group": group.number,
    "aria-label": `Close ${cluster.title || kind}`,
  });
  header.append(element("rect", { class: "grip", x: 4, y: 4, width: r(min(w - 8, cluster.titleWidth + 14)), height: 21, rx: 6 }));
  header.append(element("path", { class: "sign", d: "M11 14.5h9" }));
  const note = cluster.note ? [element("tspan", { class: "note", dx: 8 }, cluster.note)] : [];
  header.append(element("text", { class: "title", x: 26, y: 19 }, cluster.title, ...note));
  header.setAttribute("transform", g.getAttribute("transform"));
  return Object.assign(g, { header });
}

// ------------------------------------------------------------------------------------------------ arrows
const thickness = (arrow) => (arrow.weight === null ? 1.1 : 0.7 + 4.3 * arrow.weight * arrow.weight);

function drawArrow(arrow) {
  const wide = thickness(arrow);
  const g = element("g", {
    class: ["arrow", arrow.carried ? "carried" : "", arrow.contribution === 0 ? "none" : ""].filter(Boolean).join(" "),
    "data-from": arrow.source.id, "data-to": arrow.target.id,
  });
  g.style.setProperty("--weight", arrow.weight ?? 0.3);
  const [d, tip, mid] = arrow.path;
  const shaft = element("path", { class: "shaft", d, "stroke-width": r(wide) });
  g.append(element("title", {}, arrowText(arrow)), element("path", { class: "hit", d }), shaft);
  const [x, y, angle] = tip, size = 4 + 0.9 * wide;
  g.append(element("path", { class: "head", d: "M0 0L-17 6L-14 0L-17 -6z", transform: `${at(x, y)} rotate(${r(angle)}) scale(${size / 10})` }));
  if (arrow.label) g.append(element("text", { class: "label", x: r(mid[0] + 5), y: r(mid[1] + 3) }, clip(arrow.label, 32)));
  return g;
}

function arrowText(arrow) {
  const contribution = arrow.contribution === null ? "" : `, ‖(∂f/∂z)ᵀλ‖ = ${digits(arrow.contribution)}`;
  const count = arrow.count > 1 ? ` over ${arrow.count} edges` : "";
  return `${arrow.source.title} → ${arrow.target.title}${contribution}${count}${arrow.carried ? ", to the next turn" : ""}`;
}

const turned = (right) => (right ? ([x, y]) => [y, x] : (point) => point);
const path = (right, text) => text.map((part) => (typeof part === "string" ? part : turned(right)(part).map(r).join(" "))).join(" ");

/** A curve through points that enters and leaves each of them along the ranks; its tip, and its middle. */
function smooth(points, right) {
  const line = points.map(turned(right)).map((p) => [...p]), end = line.at(-1), back = line[0][1] > end[1];
  const tip = [...points.at(-1), (right ? 0 : 90) + (back ? 180 : 0)];
  end[1] -= back ? -5 : 5; // the shaft ends inside the head
  const d = ["M", line[0]];
  for (let k = 1; k < line.length; k++) {
    const [x0, y0] = line[k - 1], [x1, y1] = line[k], half = (y0 + y1) / 2;
    if (abs(x1 - x0) < 0.3) d.push("L", line[k]);
    else d.push("C", [x0, half], [x1, half], line[k]);
  }
  const k = floor((line.length - 1) / 2), [a, b] = [points[k], points[k + 1]];
  return [path(right, d), tip, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]];
}

/** What goes against the ranks: a loop along the side. */
function loosePath({ source, target }, { right }) {
  const turn = turned(right), [[ax, ay], [bx, by]] = [source, target].map((box) => turn([box.x, box.y]));
  const [aw, bw] = [source, target].map((box) => (right ? box.h : box.w) / 2), shift = source === target ? 12 : 0;
  const x0 = ax + aw, x1 = bx + bw, y0 = ay + shift, y1 = by - shift;
  const far = max(x0, x1) + 26 + min(60, abs(ay - by) / 8);
  const d = path(right, ["M", [x0, y0], "C", [far, y0], [far, y1], [x1 + 5, y1]]);
  return [d, [...turn([x1, y1]), right ? -90 : 180], turn([far - 8, (y0 + y1) / 2])];
}

/** A number in few digits, with a true minus sign. */
function digits(x, most = 3) {
  if (!Number.isFinite(x)) return "not finite";
  const size = abs(x), long = x && (size < 1e-4 || size >= 10 ** max(most, 5));
  const text = long ? x.toExponential(most - 1).replace(/\.?0*e/, "e") : String(Number(x.toPrecision(most)));
  return text.replaceAll("-", "−");
}
