// Search by name, operation, scope and source line.

const search = { results: [], at: -1 };
let haystack = null;
function index() {
  haystack ??= nodes.map((node) => {
    const place = node.place >= 0 ? data.places[node.place] : ["", "", "", ""];
    return [node.name, node.formula, node.operation, scopePath(node.scope).names.join("/"), place[3], place[2]].join("\n").toLowerCase();
  });
  return haystack;
}

function find(query) {
  const wanted = query.trim().toLowerCase();
  search.results = [];
  search.at = -1;
  if (wanted) {
    // names first, then operations, then all else, each in the program's order
    const ranked = [[], [], []];
    const rank = ({ name, formula }) => [name, formula, wanted].findIndex((text) => text.toLowerCase().includes(wanted));
    index().forEach((hay, k) => hay.includes(wanted) && ranked[rank(nodes[k])].push(k));
    search.results = ranked.flat();
  }
  showResults();
}

function showResults() {
  const { results, at } = search;
  const typed = byId("query").value.trim();
  const count = results.length ? results.length.toLocaleString("en") : "none";
  byId("found").textContent = typed ? (at < 0 ? "" : `${at + 1} of `) + count : "";
  const start = max(0, min(at - 4, results.length - 9));
  byId("results").replaceChildren(...results.slice(start, start + 9).map((k, n) => {
    const node = nodes[k], place = node.place >= 0 ? data.places[node.place][3] : "";
    const note = [node.name ? node.operation : "", place].filter(Boolean).join(" · ");
    return tag("li", {
      role: "option", id: `result-${start + n}`, "aria-selected": String(start + n === at),
      onpointerdown: (event) => event.preventDefault(), onclick: () => stepTo(start + n),
    }, tag("span", { class: "name" }, node.name || node.formula), tag("span", { class: "note" }, note));
  }));
  const open = Boolean(typed && results.length && document.activeElement === byId("query"));
  byId("results").hidden = !open;
  byId("query").setAttribute("aria-expanded", String(open));
  byId("query").setAttribute("aria-activedescendant", at < 0 ? "" : `result-${at}`);
}

function stepTo(at) {
  if (!search.results.length) return;
  search.at = (at + search.results.length) % search.results.length;
  selectNode(search.results[search.at]);
  showResults();
}
const step = (by) => stepTo(search.at < 0 && by < 0 ? -1 : search.at + by);

byId("query").addEventListener("input", (event) => find(event.target.value));
byId("query").addEventListener("focus", showResults);
byId("query").addEventListener("blur", showResults);
byId("query").addEventListener("keydown", (event) => {
  const by = { Enter: event.shiftKey ? -1 : 1, ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by) {
    step(by);
    event.preventDefault();
  } else if (event.key === "Escape") {
    event.stopPropagation();
    byId("query").blur();
    refocus();
  }
});
