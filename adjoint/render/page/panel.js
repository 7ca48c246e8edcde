// The side panel: everything that is known of the selected box. All texts are set by textContent.

const MATHML = "http://www.w3.org/1998/Math/MathML";
const panel = document.getElementById("panel");

/** An HTML element with attributes, and children that are elements or texts. */
function tag(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, x] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), x);
    else if (x !== null && x !== false) made.setAttribute(key, x === true ? "" : x);
  }
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

/** MathML from [name, attributes, ...children]; a text is a text. */
function mathOf(tree) {
  if (typeof tree === "string") return document.createTextNode(tree);
  const [name, attributes, ...children] = tree;
  const made = document.createElementNS(MATHML, name);
  for (const [key, x] of Object.entries(attributes)) {
    if (key === "style") made.style.cssText = x; // as an attribute the policy would refuse it
    else made.setAttribute(key, x);
  }
  made.append(...children.map(mathOf));
  return made;
}

const sizeText = (bytes) => {
  if (bytes < 1000) return `${bytes} B`;
  const power = bytes < 999500 ? 1 : bytes < 999500000 ? 2 : 3;
  return `${digits(bytes / 1000 ** power)} ${["kB", "MB", "GB"][power - 1]}`;
};

class Panel {
  constructor(actions) {
    this.actions = actions; // { select(position), toggle(box), close() }
    this.box = null;
    this.turn = 0;
  }

  show(box, view, turn = 0) {
    this.box = box;
    this.view = view;
    this.turn = turn;
    panel.hidden = box === null;
    document.body.classList.toggle("with-panel", box !== null);
    if (box === null) return;
    panel.replaceChildren(...(box.group ? this.ofGroup(box) : this.ofNode(box)).filter(Boolean));
    panel.scrollTop = 0;
  }

  head(title, kind, path) {
    return tag("header", {},
      tag("button", { class: "close", "aria-label": "Close the panel", title: "Close (Esc)", onclick: () => this.actions.close() }, "×"),
      tag("p", { class: "kind" }, kind), tag("h2", {}, title), path ? tag("p", { class: "path" }, path) : null);
  }

  ofNode(box) {
    const node = nodes[box.turns[this.turn] ?? box.node.position];
    const rule = data.rules[`#${node.number}`] ?? data.rules[node.formula] ?? data.rules[node.operation];
    const scope = scopePath(node.scope);
    const role = node.role === "operation" || node.role === node.operation ? node.operation : `${node.role} · ${node.operation}`;
    return [
      this.head(node.name || node.formula, `${role} · node ${node.number}`, scope.names.join(" / ")),
      box.turns.length > 1 ? this.turns(box) : null,
      rule ? section("Rule", ...rule.map((tree) => tag("div", { class: "math" }, mathOf(tree)))) : null,
      node.place < 0 ? null : section("Line", sourceLine(node.place)),
      this.numbers(node),
      facts([
        ["formula", node.name && node.formula !== node.operation ? node.formula : ""],
        ["shape, dtype", node.kind], ["kept", node.bytes ? sizeText(node.bytes) : ""],
        ["state", node.note], ["kernel", scope.kernel], ["", node.connected ? "" : "The loss does not depend on it: λ = 0."],
      ]),
      this.edges("From", edgesInto(node.position), 0),
      this.edges("To", edgesFrom(node.position), 1),
    ];
  }

  ofGroup(box) {
    const inside = nodesOf(box);
    const operations = tally(inside.map((k) => nodes[k].operation)).sort((p, q) => q[1] - p[1] || (p[0] < q[0] ? -1 : 1));
    const lines = tally(inside.map((k) => nodes[k].place).filter((place) => place >= 0)).sort((p, q) => p[0] - q[0]);
    const bytes = inside.reduce((sum, k) => sum + nodes[k].bytes, 0);
    const { group } = box;
    const around = groupsAround(box).map((outer) => outer.name).filter(Boolean).reverse();
    return [
      this.head(box.title, `${group.kind === "run" ? "stretch" : group.kind} · ${inside.length} nodes`, around.join(" / ")),
      tag("p", {}, tag("button", { class: "wide", onclick: () => this.actions.toggle(box) }, "Open (Enter)")),
      facts([
        ["kernel", group.kind === "kernel" ? group.note : ""],
        [`${data.heat} together`, box.lam === null ? "" : digits(box.lam)],
        ["kept", bytes ? sizeText(bytes) : ""],
      ]),
      section("Operations", list(operations.slice(0, 12).map(([name, count]) => [name, `${count}`])), more(operations.length - 12)),
      lines.length ? section("Lines", ...lines.slice(0, 6).map(([place]) => sourceLine(place)), more(lines.length - 6)) : null,
      this.arrows("From", "source"),
      this.arrows("To", "target"),
    ];
  }

  /** Which turn of a repeat is shown, and ‖λ‖ over all of them. */
  turns(box) {
    const count = box.turns.length;
    const to = (turn) => this.show(box, this.view, (turn + count) % count);
    const norms = box.turns.map((t) => nodes[t].lam?.norm ?? nodes[t].z?.norm ?? 0);
    const top = largest(norms) || 1;
    const shownTurns = count <= 64 ? norms.map((x, k) => {
      const said = `Turn ${k + 1}: ${digits(x)}`;
      const bar = tag("button", {
        class: "turn", title: said, "aria-label": said, "aria-current": k === this.turn ? "true" : null, onclick: () => to(k),
      });
      bar.style.setProperty("--height", x / top);
      return bar;
    }) : [];
    return section(`Turn ${this.turn + 1} of ${count}`,
      tag("div", { class: "stepper" },
        tag("button", { "aria-label": "Previous turn", onclick: () => to(this.turn - 1) }, "‹"),
        tag("div", { class: "turns" }, ...shownTurns),
        tag("button", { "aria-label": "Next turn", onclick: () => to(this.turn + 1) }, "›")));
  }

  /** z and λ side by side. */
  numbers(node) {
    if (!node.z && !node.lam) return null;
    const [z, lam] = node.symbols;
    const columns = [[z, node.z, 1], ...(node.lam || hasMultipliers ? [[lam, node.lam, 2]] : [])];
    const row = (name, write) => {
      const cells = columns.map(([, x]) => (x ? write(x) : ""));
      return cells.some(Boolean) ? tag("tr", {}, tag("th", { scope: "row" }, name), ...cells.map((text) => tag("td", {}, text))) : null;
    };
    const drawn = columns.map(([symbol, x, whose]) => tag("td", {}, x?.bins.length ? histogram(x, symbol, whose) : ""));
    const scalar = (x) => x.size === 1 && x.norm === abs(x.low);
    return section("Numbers", tag("table", { class: "numbers" },
      tag("thead", {}, tag("tr", {}, tag("td", {}), ...columns.map(([symbol]) => tag("th", { scope: "col" }, symbol)))),
      tag("tbody", {},
        row("value", (x) => (scalar(x) ? digits(x.low, 6) : "")),
        row("norm", (x) => (scalar(x) ? "" : digits(x.norm, 6))),
        row("least", (x) => (scalar(x) || !x.size ? "" : digits(x.low, 6))),
        row("most", (x) => (scalar(x) || !x.size ? "" : digits(x.high, 6))),
        row("elements", (x) => (x.size === 1 ? "" : x.size.toLocaleString("en"))),
        row("finite", (x) => (x.finite ? "" : "no")),
        columns.some(([, x]) => x?.bins.length) ? tag("tr", { class: "histograms" }, tag("th", { scope: "row" }, "spread"), ...drawn) : null)));
  }

  /** Edges of a node, [from, to, contribution], or arrows of a box, as buttons that lead to the other end. */
  list(name, found, row) {
    if (!found.length) return null;
    return section(`${name} (${found.length})`, tag("ul", { class: "edges" }, ...found.slice(0, 40).map(row)), more(found.length - 40));
  }

  edges(name, found, end) {
    return this.list(name, found, (edge) => {
      const node = nodes[edge[end]];
      const note = node.name && !["input", "parameter"].includes(node.formula) ? node.formula : "";
      return this.row(node.name || node.formula, note, edge[2], () => this.actions.select(node.position));
    });
  }

  arrows(name, end) {
    const found = this.view.arrows.filter((arrow) => arrow[end === "source" ? "target" : "source"] === this.box);
    return this.list(name, found, (arrow) =>
      this.row(arrow[end].title, arrow.count > 1 ? `${arrow.count} edges` : "", arrow.contribution, () => this.actions.selectBox(arrow[end])));
  }

  row(title, note, contribution, act) {
    return tag("li", {}, tag("button", { onclick: act },
      tag("span", { class: "name" }, title), note && note !== title ? tag("span", { class: "note" }, note) : null,
      (contribution ?? null) === null ? null : tag("span", { class: "amount", title: "‖(∂f/∂z)ᵀλ‖" }, digits(contribution))));
  }
}

/** What occurs, and how often. */
function tally(items) {
  const counts = new Map();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return [...counts];
}

const section = (title, ...children) => tag("section", {}, tag("h3", {}, title), ...children.filter(Boolean));
const more = (count) => (count > 0 ? tag("p", { class: "more" }, `and ${count} more`) : null);
const list = (rows) => tag("dl", {}, ...rows.flatMap(([name, said]) => [tag("dt", {}, name), tag("dd", {}, said)]));
function facts(rows) {
  const said = rows.filter(([, text]) => text);
  return said.length ? tag("section", {}, list(said)) : null;
}

function sourceLine(place) {
  const [file, line, text, brief] = data.places[place];
  return tag("figure", { class: "source" }, tag("figcaption", { title: `${file}:${line}` }, brief), text ? tag("code", {}, text) : null);
}

function histogram(x, symbol, whose) {
  const label = `Histogram of ${symbol}`;
  const drawing = element("svg", { viewBox: "0 0 100 40", class: "histogram", role: "img", "aria-label": label },
    element("path", { class: `bars-${whose}`, d: barPath(x.bins, 100, 38), transform: "translate(0 1)" }),
    element("path", { class: "axis", d: "M0 39.5h100" }));
  if (x.low < 0 && x.high > 0) drawing.append(element("path", { class: "zero", d: `M${r((-100 * x.low) / (x.high - x.low))} 0v40` }));
  return tag("div", {}, drawing, tag("div", { class: "ends" }, tag("span", {}, digits(x.low)), tag("span", {}, digits(x.high))));
}

/** Names of the scopes around a node, and what its kernel says. */
function scopePath(scope) {
  const names = [];
  let kernel = "";
  for (let at = scope; at > 0; at = data.scopes[at][1]) {
    const [name, , kind, note] = data.scopes[at];
    if (kind === "kernel") kernel = `${texts[name]}, ${texts[note]}`;
    names.unshift(texts[name]);
  }
  return { names, kernel };
}

// Edges by node, looked up when a panel first asks.
let adjacency = null;
function adjacent() {
  if (adjacency) return adjacency;
  adjacency = { into: new Map(), from: new Map() };
  const put = (map, key, edge) => (map.has(key) ? map.get(key).push(edge) : map.set(key, [edge]));
  for (const edge of edges) {
    put(adjacency.into, edge[1], edge);
    put(adjacency.from, edge[0], edge);
  }
  return adjacency;
}
const edgesInto = (position) => adjacent().into.get(position) ?? [];
const edgesFrom = (position) => adjacent().from.get(position) ?? [];
