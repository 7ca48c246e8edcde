"""The drawing as data: a graph of constraints, without layout, colors or a tape.

Whatever can be drawn becomes a `Graph` first (`of_tape`, `of_compiled`, `of_problem`), is folded to a `View`
of few boxes, and is then written: as dot (for SVG, PNG, PDF), HTML, Mermaid, JSON or plain text. It holds
numbers and texts only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SCHEMA = 1  # of the JSON; rises when a reader of the old one would err


@dataclass(slots=True)
class Numbers:
    """What is shown of an array: of a scalar its value, of an array its norm, range and histogram.

    Attributes:
        norm: Euclidean norm; |z| of a scalar.
        low: smallest element (real part, if complex); NaN where none is finite.
        high: largest element.
        size: number of elements.
        finite: whether all elements are.
        bins: elements in each of ten equal parts of [low, high]; empty for scalars and in large programs.
    """

    norm: float
    low: float
    high: float
    size: int = 1
    finite: bool = True
    bins: tuple[int, ...] = ()


@dataclass(slots=True)
class Node:
    """One constraint z_i = f_i(…).

    Attributes:
        number: i.
        operation: name of the primitive; the role of an input.
        role: "input", "parameter", "operation", "output", or of problems "objective" and "constraint".
        formula: operation with what its operands do not show: `divide(·, 3)`.
        name: given by the user; may be empty.
        scope: number of its scope in `Graph.scopes`.
        kind: shape and dtype in words, `50×3 float64`; of several results joined.
        bytes: memory that the record keeps for its value.
        place: number of the user's line in `Graph.places`, −1 when unknown.
        z: numbers of the value.
        lam: numbers of the multiplier; None when there is none.
        connected: whether the loss depends on it (True where nobody asked).
        note: one more line: a constraint's state.
        active: of a constraint, whether it binds.
        view: whether it shows its parent's elements in another form, so that an edge can stand for it.
    """

    number: int
    operation: str
    role: str
    formula: str
    name: str = ""
    scope: int = 0
    kind: str = ""
    bytes: int = 0
    place: int = -1
    z: Numbers | None = None
    lam: Numbers | None = None
    connected: bool = True
    note: str = ""
    active: bool | None = None
    view: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the user's: its file, number and text."""

    file: str
    line: int
    source: str

    @property
    def short(self) -> str:
        """`train.py:41`."""
        return f"{self.file.replace(chr(92), '/').rpartition('/')[2]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Scope:
    """A group of nodes: its name, the number of the scope around it (−1 for the outermost), and its kind.

    The kind is "scope" for the user's and "kernel" for what a compiled program runs as one step.
    """

    name: str
    parent: int
    kind: str = "scope"
    note: str = ""


@dataclass
class Graph:
    """Nodes, edges and scopes.

    Attributes:
        title: what is drawn, in words.
        subject: "tape", "lagrangian", "difference", "compiled" or "problem".
        heat: what colors show.
        edges: (from, to, ‖(∂f_to/∂z_from)ᵀλ_to‖ or None).
        scopes: the first is the whole; a scope's parent comes before it.
        facts: what is said below the picture: (name, text).
        rules: of a node's formula, or of `#12`, a node whose parameters its formula leaves out, as MathML:
            z = f(x, y), then what the λ of each operand gains.
        lagrangian: the Lagrangian typeset, as MathML; empty when there is none.
    """

    title: str
    subject: str
    nodes: list[Node] = field(default_factory=list)
    edges: list[tuple[int, int, float | None]] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=lambda: [Scope("", -1)])
    places: list[Place] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    heat: str = "‖λ‖"
    lagrangian: str = ""
    rules: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Box:
    """What is drawn as one box: a node, equal nodes of a repeat, or a folded scope.

    Attributes:
        id: `n12` of a node, `c3` of a folded cluster; the same in every format.
        members: numbers of the nodes, ascending.
        cluster: number of the cluster around it in `View.clusters`.
        title: of a folded cluster; a node has its own.
        norms: ‖λ‖ of the occurrences of a repeat, in order.
        lam: ‖λ‖ of all members together, None without multipliers.
        heat: 0 to 1, where ‖λ‖ stands on a logarithmic scale that ends at the largest of all boxes and
            begins three decades below, or at the smallest; None without multipliers.
        side: of a mirrored view "program" (z) or "adjoint" (λ); empty where a box shows both.
    """

    id: str
    members: list[int]
    cluster: int
    folded: bool = False
    title: str = ""
    norms: tuple[float, ...] = ()
    lam: float | None = None
    heat: float | None = None
    side: str = ""


@dataclass(frozen=True)
class Arrow:
    """An edge between boxes.

    Attributes:
        source, target: positions in `View.boxes`.
        count: how many edges of the graph it stands for.
        contribution: their ‖(∂f_i/∂z_j)ᵀλ_i‖ together, None without multipliers.
        weight: 0 to 1, where that stands among all arrows, on such a scale; None without multipliers.
        label: of views that it stands for.
        carried: from one turn of a repeat to the next.
        side: of a mirrored view "adjoint" from λ_i to λ_j, "pair" between z_i and λ_i.
    """

    source: int
    target: int
    count: int
    contribution: float | None
    weight: float | None
    label: str
    carried: bool
    side: str = ""


@dataclass
class Cluster:
    """A drawn outline: a scope, the body of a repeat (`count` times), a kernel, or a mirrored view's side."""

    id: str
    name: str
    kind: str
    parent: int
    count: int = 1
    note: str = ""


@dataclass
class Group:
    """A scope, a kernel, a repeat or a run of nodes in the tree by which a graph is folded.

    Attributes:
        items: what it holds in order: a node's position (≥ 0), or −1 − number of a group.
        leaves: positions of the nodes that are drawn when all is expanded.
    """

    name: str
    kind: str
    parent: int
    count: int = 1
    note: str = ""
    items: list[int] = field(default_factory=list)
    leaves: list[int] = field(default_factory=list)
    folded: bool = False

    @property
    def title(self) -> str:
        """What its box says when it is folded: `layer1 … layer12 × 12`; empty of a run."""
        name = self.name or ("repeat" if self.kind == "repeat" else "")
        return f"{name} × {self.count}" if self.count > 1 else name


@dataclass
class View:
    """What of a graph is drawn.

    Attributes:
        groups: the whole tree, also of what is folded: a page opens it. The first is the whole.
        shown: for each node's position that of the node which stands for it.
    """

    boxes: list[Box]
    arrows: list[Arrow]
    clusters: list[Cluster]
    caption: str
    groups: list[Group] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
