"""The adjoint sweep drawn as a graph of its own: the mirror image of the program.

On one side the program, z_i from the inputs to the loss; on the other the sweep, λ_i from the loss back to
the inputs, λ_j = Σ_i (∂f_i/∂z_j)ᵀ λ_i: the same boxes and the same arrows, turned around. A dotted line ties
each λ_i to its z_i. The mirrored view is a `View` like any other, so that every format can write it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .graph import Arrow, Cluster, Graph, View

SIDES = (("p0", "program", "z_i = f_i(z_<i)"), ("a0", "adjoint sweep", "λ_j = Σ_i (∂f_i/∂z_j)ᵀ λ_i"))


def mirrored(view: View, graph: Graph) -> View:
    """A view with the adjoint sweep beside the program.

    The boxes of the sweep follow those of the program, in the order in which the sweep reaches them.

    Args:
        view: of a graph with multipliers.
        graph: what the view is of.

    Raises:
        ValueError: the graph has no multipliers.
    """
    if graph.subject == "difference" or all(node.lam is None for node in graph.nodes):
        raise ValueError(
            f"adjoint=True draws multipliers, and this {graph.subject} has none\n"
            "  Draw a Lagrangian, a real scalar Variable (the loss), or a Solution."
        )
    count = len(view.boxes)
    clusters = _sides(view.clusters)
    program = [replace(box, cluster=box.cluster + 1, heat=None, side="program") for box in view.boxes]
    first = len(view.clusters) + 1  # the outline around the sweep
    sweep = [
        replace(box, id=f"l{box.id}", cluster=first + box.cluster + 1, side="adjoint")
        for box in reversed(view.boxes)
    ]

    def twin(k: int) -> int:
        return 2 * count - 1 - k

    arrows = [replace(arrow, contribution=None, weight=None) for arrow in view.arrows]
    arrows += [
        replace(arrow, source=twin(arrow.target), target=twin(arrow.source), side="adjoint", label="")
        for arrow in reversed(view.arrows)
    ]
    arrows += [Arrow(k, twin(k), 1, None, None, "", False, side="pair") for k in range(count)]
    caption = f"{view.caption}; the adjoint sweep mirrored, λ tied to z by dotted lines"
    return View(program + sweep, arrows, clusters, caption, view.groups, view.shown)


def _sides(clusters: Sequence[Cluster]) -> list[Cluster]:
    """Every outline twice, each time inside that of its side."""
    made: list[Cluster] = []
    for id, name, equation in SIDES:
        first = len(made)
        made.append(Cluster(id, name, "side", -1, note=equation))
        made += [
            replace(cluster, id=f"{id[0]}{cluster.id}", parent=first + 1 + cluster.parent)
            for cluster in clusters
        ]
    return made
