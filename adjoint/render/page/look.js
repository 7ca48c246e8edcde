// Where one looks: pan, zoom, fit; by pointers and by the wheel.

const size = () => ({ width: picture.clientWidth || 800, height: picture.clientHeight || 600 });
let drawing = 0;
function look() {
  painter.world.setAttribute("transform", `scale(${eye.zoom}) translate(${-eye.x} ${-eye.y})`);
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(redraw);
}
function redraw() {
  const { width, height } = size(), { zoom } = eye;
  painter.update({ x: eye.x + width / zoom / 2, y: eye.y + height / zoom / 2, w: (width + 200) / zoom, h: (height + 200) / zoom }, zoom);
}

/** All of it, but no larger than life; of what is too large to be read the beginning, at a size that can be. */
function fit(whole = true) {
  const { width, height } = size(), { w, h } = view.root, room = 28;
  const zoom = min((width - 2 * room) / w, (height - 2 * room) / h, 1.25);
  eye.zoom = whole ? max(zoom, 0.002) : min(1.1, max(zoom, 0.75));
  // beside the legend, if there is room
  const side = byId("legend").getBoundingClientRect().width + 24;
  const left = w * eye.zoom + 2 * side < width ? 0 : w * eye.zoom + side + room < width ? side : 0;
  eye.x = w / 2 - (width + left) / 2 / eye.zoom;
  eye.y = h / 2 - height / 2 / eye.zoom;
  if (h * eye.zoom > height - 2 * room) eye.y = -room / eye.zoom;
  if (w * eye.zoom > width - 2 * room && data.direction === "right") eye.x = -room / eye.zoom;
  look();
}

function zoomBy(factor, x = size().width / 2, y = size().height / 2) {
  const zoom = min(6, max(0.002, eye.zoom * factor));
  eye.x += x / eye.zoom - x / zoom;
  eye.y += y / eye.zoom - y / zoom;
  eye.zoom = zoom;
  look();
}

/** Move a box into view, and close enough to be read. */
function bring(box, near = true) {
  const { width, height } = size();
  if (near && eye.zoom < 0.5) {
    eye.zoom = 0.9;
    eye.x = box.x - width / 2 / eye.zoom;
    eye.y = box.y - height / 2 / eye.zoom;
  }
  const room = 40 / eye.zoom;
  const into = (at, low, high, length) => (low - room < at ? low - room : high + room > at + length ? high + room - length : at);
  eye.x = into(eye.x, box.x - box.w / 2, box.x + box.w / 2, width / eye.zoom);
  eye.y = into(eye.y, box.y - box.h / 2, box.y + box.h / 2, height / eye.zoom);
  look();
}

// Pointers: one drags, two pinch.
const pointers = new Map();
let moved = 0;
picture.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  moved = 0;
});
addEventListener("pointermove", (event) => {
  const last = pointers.get(event.pointerId);
  if (!last) return;
  const now = [event.clientX, event.clientY];
  const others = [...pointers].filter(([id]) => id !== event.pointerId);
  moved += hypot(now[0] - last[0], now[1] - last[1]);
  if (moved > 4) picture.classList.add("dragged");
  if (others.length) {
    const [ox, oy] = others[0][1], edge = picture.getBoundingClientRect();
    const before = hypot(last[0] - ox, last[1] - oy), after = hypot(now[0] - ox, now[1] - oy);
    if (before > 0) zoomBy(after / before, (ox + now[0]) / 2 - edge.left, (oy + now[1]) / 2 - edge.top);
  }
  const share = others.length ? 0.5 : 1;
  eye.x -= (share * (now[0] - last[0])) / eye.zoom;
  eye.y -= (share * (now[1] - last[1])) / eye.zoom;
  pointers.set(event.pointerId, now);
  look();
});
const release = (event) => {
  pointers.delete(event.pointerId);
  if (!pointers.size) setTimeout(() => picture.classList.remove("dragged"));
};
addEventListener("pointerup", release);
addEventListener("pointercancel", release);
picture.addEventListener("wheel", (event) => {
  event.preventDefault();
  const edge = picture.getBoundingClientRect();
  const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
  zoomBy(exp((-event.deltaY * unit * (event.ctrlKey ? 6 : 1)) / 600), event.clientX - edge.left, event.clientY - edge.top);
}, { passive: false });

// What an element of the picture stands for.
const boxAround = (target) => view.boxes.find((box) => box.id === target.closest(".box")?.dataset.id);
const clusterUnder = (target) => view.clusters.find((c) => c.group.number === Number(target.closest(".header")?.dataset.group));

picture.addEventListener("click", ({ target }) => {
  if (moved > 4) return;
  const cluster = clusterUnder(target), box = boxAround(target);
  if (cluster) toggle(cluster);
  else if (!box) select(null);
  else if (box.group && (target.closest(".sign") || selected === box)) toggle(box);
  else select(box);
});
