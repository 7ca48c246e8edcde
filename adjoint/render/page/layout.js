// Layered layout of nested groups. Every open group is laid out by itself, from the inside out, as a box of
// the group around it; an arrow that leaves a group passes a port on its border. In each group:
// ranks by the longest path, dummies along links that pass ranks, orders by barycenters with the fewest
// crossings kept, and coordinates that minimize weighted squared distances along links subject to the order,
// solved exactly, rank by rank, by pooling neighbors that violate it. Strong contributions pull straighter.
// All is done for "down"; for "right" the two axes change their roles.

const GAP = { boxes: 22, dummies: 10, ranks: 30, ports: 12 };
const PADDING = { side: 14, top: 30 };
const MANY = 6000; // dummies in one group, after which its longest links are drawn without

/** Give every box and cluster its place (x, y of the center, w, h) and every arrow its points. */
function layOut(view, right) {
  view.right = right;
  for (const item of [...view.boxes, ...view.clusters]) item.links = null;
  link(view);
  const clusters = [view.root, ...view.clusters];
  for (let k = clusters.length - 1; k >= 0; k--) layOutOne(clusters[k], right); // parents come first
  view.root.x = view.root.w / 2;
  view.root.y = view.root.h / 2;
  for (const cluster of clusters) settle(cluster, right);
  spread(clusters, right);
  for (const arrow of view.arrows) arrow.points = arrow.loose ? null : arrow.route.flatMap((l) => l.points);
  if (mirrored) mirror(view);
}

/** In each cluster, the links between its children and ports that arrows are made of. */
function link(view) {
  for (const cluster of [view.root, ...view.clusters]) {
    Object.assign(cluster, { local: new Map(), ports: { in: new Map(), out: new Map() } });
    cluster.children.forEach((child, k) => (child.place = k));
  }
  for (const arrow of view.arrows) {
    const key = arrow.source.index;
    let s = arrow.source, t = arrow.target;
    const leaving = [], entering = [];
    const depth = (item) => item.parent.depth;
    while (s.parent !== t.parent) {
      if (depth(s) >= depth(t)) {
        leaving.push([s.parent, s, "out"]);
        s = s.parent;
      } else {
        entering.unshift([t.parent, t, "in"]);
        t = t.parent;
      }
    }
    arrow.loose = arrow.carried || s.place >= t.place;
    if (arrow.loose) continue;
    const steps = leaving.map(([around, child]) => join(around, child, port(around, "out", key), key));
    steps.push(join(s.parent, s, t, key));
    steps.push(...entering.map(([around, child]) => join(around, port(around, "in", key), child, key)));
    for (const step of steps) step.weight = max(step.weight, arrow.weight ?? 0);
    arrow.route = steps;
  }
}

function port(cluster, side, key) {
  const ports = cluster.ports[side];
  if (!ports.has(key)) ports.set(key, { port: side, key, w: 0, h: 0 });
  return ports.get(key);
}

function join(cluster, u, v, key) {
  const name = `${u.port ? "i" : u.place} ${v.port ? "o" : v.place} ${key}`;
  let found = cluster.local.get(name);
  if (!found) cluster.local.set(name, (found = { u, v, key, weight: 0, points: [], bends: [] }));
  return found;
}

function layOutOne(cluster, right) {
  const links = [...cluster.local.values()];
  const make = (item) => (item.vertex = {
    item, main: right ? item.w : item.h, cross: right ? item.h : item.w, rank: 1, at: 0, order: 0, up: [], down: [],
  });
  const inner = cluster.children.map(make);
  const entries = [...cluster.ports.in.values()].map(make), exits = [...cluster.ports.out.values()].map(make);
  for (const l of links) {
    l.from = l.u.vertex;
    l.to = l.v.vertex;
    l.from.down.push(l);
    l.to.up.push(l);
  }
  rank(inner, entries, exits);
  split([...inner], exits);
  const layers = ordered(inner, entries, exits, links);
  place(layers);
  measure(cluster, layers, right);
}

/** Ranks by the longest path, then sources and spreading values towards what uses them. */
function rank(inner, entries, exits) {
  for (const v of inner) for (const l of v.down) l.to.rank = max(l.to.rank, v.rank + 1);
  for (let k = inner.length - 1; k >= 0; k--) {
    const v = inner[k];
    const below = v.down.filter((l) => !l.v.port).map((l) => l.to.rank);
    if (below.length && below.length === v.down.length && v.down.length > v.up.length) v.rank = min(...below) - 1;
  }
  for (const v of entries) v.rank = 0;
  const last = inner.reduce((most, v) => max(most, v.rank), 0) + 1;
  for (const v of exits) v.rank = last;
}

/** A rank that is much wider than the whole is high becomes several, since nothing in it is linked. */
function split(inner, exits) {
  const area = inner.reduce((sum, v) => sum + (v.cross + GAP.boxes) * (v.main + GAP.ranks), 0);
  const widest = max(1500, 1.6 * sqrt(area));
  const byRank = new Map();
  for (const v of inner) byRank.set(v.rank, [...(byRank.get(v.rank) ?? []), v]);
  let next = 1;
  for (const r of [...byRank.keys()].sort((a, b) => a - b)) {
    let width = 0;
    for (const v of byRank.get(r)) {
      if (width && width + v.cross > widest) {
        width = 0;
        next++;
      }
      width += v.cross + GAP.boxes;
      v.rank = next;
    }
    next++;
  }
  for (const v of exits) v.rank = next;
}

/** Layers with dummies, in the order with the fewest crossings that was met. */
function ordered(inner, entries, exits, links) {
  const layers = [];
  const put = (v) => ((layers[v.rank] ??= []).push(v), v);
  [...entries, ...inner, ...exits].forEach(put);
  for (let r = 0; r < layers.length; r++) layers[r] ??= [];
  for (const v of layers.flat()) Object.assign(v, { up: [], down: [] });
  const span = (l) => l.to.rank - l.from.rank;
  const reached = new Set(links.map((l) => l.to));
  // links of one source run together as far as they go: its dummies by rank
  const shared = new Map();
  let left = MANY;
  for (const l of [...links].sort((p, q) => span(p) - span(q))) {
    if (!shared.has(l.from)) shared.set(l.from, new Map());
    const known = shared.get(l.from);
    let from = l.from;
    for (let r = l.from.rank + 1; r <= l.to.rank; r++) {
      const name = `${l.key} ${r}`, passing = r < l.to.rank;
      if (passing && known.has(name)) {
        from = known.get(name);
        l.bends.push(from);
        continue;
      }
      if (left < 0 && passing) break; // too long: drawn as one curve
      left -= passing ? 1 : 0;
      const to = passing ? put({ dummy: true, main: 0, cross: 2, rank: r, at: 0, up: [], down: [] }) : l.to;
      if (passing) known.set(name, to);
      const thin = Number(Boolean(from.dummy || from.item?.port)) + Number(Boolean(to.dummy || to.item?.port));
      // what has no operands goes where it is used, and does not pull that to itself
      const free = from.item && !from.item.port && !reached.has(from) ? 0.2 : 1;
      const piece = { from, to, pull: [1, 2, 8][thin] * (1 + 2 * l.weight) * free };
      // where on its ends a link begins: on a cluster at a port
      piece.out = from.item ? offset(from.item, "out", l.key) : 0;
      piece.in = to.item ? offset(to.item, "in", l.key) : 0;
      from.down.push(piece);
      to.up.push(piece);
      if (to.dummy) l.bends.push(to);
      from = to;
    }
  }
  const filled = layers.filter((layer) => layer.length);
  improve(filled);
  return filled;
}

const offset = (item, side, key) => item.ports?.[side].get(key)?.offset ?? 0;

function improve(layers) {
  const number = () => layers.forEach((layer) => layer.forEach((v, k) => (v.order = k)));
  const size = layers.reduce((sum, layer) => sum + layer.length, 0);
  const rounds = size < 400 ? 16 : size < 3000 ? 8 : 3;
  const sweep = (down) => {
    const sequence = down ? layers : [...layers].reverse();
    for (const layer of sequence) {
      for (const v of layer) {
        const near = down ? v.up.map((p) => p.from.order + p.out * 1e-4) : v.down.map((p) => p.to.order + p.in * 1e-4);
        v.key = near.length ? near.reduce((a, b) => a + b, 0) / near.length : v.order;
      }
      layer.sort((p, q) => p.key - q.key || p.order - q.order);
      layer.forEach((v, k) => (v.order = k));
    }
  };
  number();
  let best = Infinity, kept = null;
  for (let round = 0; round < rounds && best > 0; round++) {
    sweep(round % 2 === 0);
    const count = layers.reduce((sum, layer) => sum + crossings(layer), 0);
    if (count < best) {
      best = count;
      kept = layers.map((layer) => [...layer]);
    }
  }
  if (kept) kept.forEach((layer, k) => layers[k].splice(0, layer.length, ...layer));
  number();
}

/** Crossings below a layer: inversions, counted by a tree of sums. */
function crossings(layer) {
  const ends = [];
  for (const v of layer) ends.push(...v.down.map((p) => p.to.order).sort((a, b) => a - b));
  const size = largest(ends) + 2;
  const tree = new Int32Array(size + 1);
  let count = 0;
  ends.forEach((end, seen) => {
    let before = 0;
    for (let k = end + 1; k > 0; k -= k & -k) before += tree[k];
    count += seen - before;
    for (let k = end + 1; k <= size; k += k & -k) tree[k]++;
  });
  return count;
}

/** Coordinates across the ranks. */
function place(layers) {
  const size = layers.reduce((sum, layer) => sum + layer.length, 0);
  for (const layer of layers) {
    let at = 0;
    layer.forEach((v, k) => {
      if (k) at += apart(layer[k - 1], v);
      v.at = at;
    });
    for (const v of layer) v.at -= at / 2;
  }
  const rounds = size < 3000 ? 10 : 4;
  for (let round = 0; round < rounds; round++) {
    for (const layer of layers) pool(layer, true, round === 0 ? false : round > rounds - 4);
    for (const layer of [...layers].reverse()) pool(layer, round > rounds - 4, true);
  }
}

const apart = (p, q) => (p.cross + q.cross) / 2 + (p.dummy || q.dummy ? GAP.dummies : GAP.boxes);

/** Move a layer as near as its order allows to where its links want it: least squares, by pooling. */
function pool(layer, above, below) {
  const blocks = [];
  let packed = 0;
  layer.forEach((v, k) => {
    if (k) packed += apart(layer[k - 1], v);
    let weight = 1e-3, sum = 1e-3 * v.at;
    if (above) for (const p of v.up) (weight += p.pull), (sum += p.pull * (p.from.at + p.out - p.in));
    if (below) for (const p of v.down) (weight += p.pull), (sum += p.pull * (p.to.at + p.in - p.out));
    let block = { weight, sum: sum - weight * packed, first: k };
    v.packed = packed;
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).weight > block.sum / block.weight) {
      const last = blocks.pop();
      block = { weight: last.weight + block.weight, sum: last.sum + block.sum, first: last.first };
    }
    blocks.push(block);
  });
  blocks.forEach((block, b) => {
    const end = b + 1 < blocks.length ? blocks[b + 1].first : layer.length;
    for (let k = block.first; k < end; k++) layer[k].at = block.sum / block.weight + layer[k].packed;
  });
}

/** Size of a cluster, and where in it its children, dummies and ports are. */
function measure(cluster, layers, right) {
  let low = Infinity, high = -Infinity;
  for (const v of layers.flat()) {
    low = min(low, v.at - v.cross / 2);
    high = max(high, v.at + v.cross / 2);
  }
  if (low > high) low = high = 0;
  const outer = cluster.parent === null;
  const title = outer ? 0 : cluster.titleWidth + 2 * PADDING.side;
  const head = outer && mirrored ? HEAD : 0;
  let along = outer ? (right ? 0 : head) : right ? PADDING.side : PADDING.top;
  const start = outer ? (right ? head : 0) : right ? PADDING.top : PADDING.side;
  const end = outer ? 0 : PADDING.side; // of either axis
  layers.forEach((layer, k) => {
    const isPort = (l) => l.every((v) => v.item?.port);
    const thickness = layer.reduce((most, v) => max(most, v.main), 0);
    if (k) along += isPort(layer) || isPort(layers[k - 1]) ? GAP.ports : GAP.ranks + bend(layer);
    for (const v of layer) {
      v.near = along;
      v.far = along + thickness;
      v.along = along + (v.item && !v.item.port ? thickness / 2 : 0);
      v.across = v.at - low + start;
    }
    along += thickness;
  });
  const total = along + end;
  let width = high - low + start + end;
  if (!right && width < title) {
    for (const v of layers.flat()) v.across += (title - width) / 2;
    width = title;
  }
  const length = right ? max(total, title) : total;
  cluster.w = right ? length : width;
  cluster.h = right ? width : length;
  for (const side of ["in", "out"]) {
    for (const p of cluster.ports[side].values()) {
      p.vertex.near = p.vertex.far = p.vertex.along = side === "in" ? 0 : length;
      p.offset = p.vertex.across - width / 2;
    }
  }
}

/** More room where links run far to the side. */
function bend(layer) {
  let far = 0;
  for (const v of layer) for (const p of v.up) far = max(far, abs(v.at + p.in - p.from.at - p.out));
  return min(46, far / 12);
}

/** Absolute places of a cluster's children, and points of its links. */
function settle(cluster, right) {
  const left = cluster.x - cluster.w / 2, top = cluster.y - cluster.h / 2;
  const point = (across, along) => (right ? [left + along, top + across] : [left + across, top + along]);
  for (const child of cluster.children) [child.x, child.y] = point(child.vertex.across, child.vertex.along);
  for (const l of cluster.local.values()) {
    const { from, to, key } = l;
    const half = (v) => (v.item.port ? 0 : v.main / 2);
    l.points = [point(from.across + offset(from.item, "out", key), from.along + half(from))];
    for (const d of l.bends) {
      l.points.push(point(d.across, d.near));
      if (d.far - d.near > 1) l.points.push(point(d.across, d.far));
    }
    l.points.push(point(to.across + offset(to.item, "in", key), to.along - half(to)));
  }
}

/** Arrows that meet at a box end beside each other, in the order in which they come. */
function spread(clusters, right) {
  const axis = right ? 1 : 0;
  const ends = new Map();
  const note = (item, side, l) => {
    if (item.port || item.children) return;
    const name = `${item.index} ${side}`;
    if (!ends.has(name)) ends.set(name, [item, []]);
    ends.get(name)[1].push(l);
  };
  for (const cluster of clusters) {
    for (const l of cluster.local.values()) {
      note(l.u, "out", l);
      note(l.v, "in", l);
    }
  }
  for (const [name, [item, list]] of ends) {
    if (list.length < 2) continue;
    const entering = name.endsWith("in");
    const other = (l) => (entering ? l.points.at(-2) : l.points[1])[axis];
    const step = min(16, (0.7 * (right ? item.h : item.w)) / (list.length - 1));
    list.sort((p, q) => other(p) - other(q));
    // what runs together leaves together
    const slots = [...new Set(list.map((l) => (entering ? l : l.bends[0] ?? l)))];
    for (const l of list) {
      const slot = slots.indexOf(entering ? l : l.bends[0] ?? l);
      (entering ? l.points.at(-1) : l.points[0])[axis] += (slot - (slots.length - 1) / 2) * step;
    }
  }
}
