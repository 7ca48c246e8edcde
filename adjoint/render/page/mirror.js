// The adjoint sweep as a graph of its own beside the program: the same boxes and arrows, turned around, each
// λ across from its z. As in adjoint/render/mirror.py, widths and shades are those of the sweep.

const canMirror = boxes.length > 0 && boxes.every((box) => box.twin);
let mirrored = data.mirrored && canMirror;
const HEAD = 34; // room for the two headings
const BETWEEN = 70;

function mirror(view) {
  const { right, root } = view;
  const axis = right ? "y" : "x", breadth = right ? root.h : root.w;
  const flip = (at) => 2 * breadth + BETWEEN - at;
  const twins = new Map();
  for (const box of [...view.boxes].reverse()) {
    const { title, rows } = box.twin;
    const twin = { ...box, id: `l${box.id}`, title, said: rows, side: "adjoint", index: view.boxes.length, [axis]: flip(box[axis]) };
    twins.set(box, twin);
    view.boxes.push(twin);
    box.heat = null;
  }
  view.clusters.push(...view.clusters.map((cluster) => ({ ...cluster, [axis]: flip(cluster[axis]) })));
  for (const arrow of [...view.arrows]) {
    const points = arrow.points?.map(([x, y]) => (right ? [x, flip(y)] : [flip(x), y])).reverse();
    view.arrows.push({ ...arrow, source: twins.get(arrow.target), target: twins.get(arrow.source), points, label: "", side: "adjoint" });
    arrow.weight = arrow.contribution = null;
  }
  view.ties = [...twins];
  const [x, y] = right ? [0, breadth + BETWEEN - 8] : [breadth + BETWEEN, 20];
  view.headings = [["program, z = f(z)", 0, 20], ["adjoint sweep, λⱼ = Σ (∂fᵢ/∂zⱼ)ᵀ λᵢ", x, y]];
  root[right ? "h" : "w"] = 2 * breadth + BETWEEN;
}

/** Dotted lines from each z to its λ, below the boxes that they pass, and what the two sides are. */
function drawTies(view) {
  const d = view.ties.map(([z, lam]) => (view.right ? `M${r(z.x)} ${r(z.y)}V${r(lam.y)}` : `M${r(z.x)} ${r(z.y)}H${r(lam.x)}`));
  const headings = view.headings.map(([text, x, y]) => element("text", { class: "heading", x, y }, text));
  return [element("path", { class: "tie", d: d.join("") }), ...headings];
}
