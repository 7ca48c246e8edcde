"""Where an unrolled loop repeats itself, so that its steps are cut alike and share their kernels.

A loop of elementwise work is one long run of nodes over one space, which the cap on a region's size cuts into
regions. Cut wherever a region is full, every region would begin at another place of the loop's body: 50 steps
of a Runge–Kutta method made 59 kernels and 30 s of compilation. Cut at the same places of every step, they
are a few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .graph import Node

WINDOW = 48  # nodes that have to agree: longer than what repeats within a step, such as stages of a method
_BASE, _MODULUS = 1_000_003, (1 << 61) - 1

Stretch = tuple[Any, int]  # space, number


def stretches(runs: dict[Any, list[Node]], most: int) -> dict[Node, Stretch]:
    """Nodes that should not share a region unless they have the same stretch.

    Args:
        runs: the nodes of every space, in order.
        most: nodes of a region.

    Returns:
        The stretch of every node in a run that is periodic and does not fit into few regions.
    """
    found: dict[Node, Stretch] = {}
    for space, nodes in runs.items():
        if len(nodes) >= 4 * max(most, WINDOW):
            for node, number in zip(nodes, _numbers(nodes, most), strict=True):
                found[node] = (space, number)
    return found


def _numbers(nodes: Sequence[Node], most: int) -> list[int]:
    """The number of each node's stretch."""
    distance = _distances(nodes)
    numbers = [0] * len(nodes)
    count = start = at = 0
    while start < len(nodes):
        period = distance[start]
        end = start
        while end < len(nodes) and distance[end] == period:
            end += 1
        if period and end - start >= max(period, WINDOW):
            first = max(start - WINDOW + 1 - period, at)  # where what repeats began
            numbers[at:first] = [count] * (first - at)
            for k in range(first, end):
                numbers[k] = count + 1 + _piece(k - first, period, most)
            count, at = numbers[end - 1] + 1, end
        start = end
    numbers[at:] = [count] * (len(nodes) - at)
    return numbers


def _piece(k: int, period: int, most: int) -> int:
    """Which piece of a periodic run node k is in: whole periods, or equal parts of one."""
    if period <= most:
        return k // (most // period * period)
    parts = -(-period // most)
    return k // period * parts + k % period * parts // period


def _distances(nodes: Sequence[Node]) -> list[int]:
    """How many nodes ago the last WINDOW operations came in the same order; 0: never."""
    last: dict[int, int] = {}
    words: list[int] = []
    distance = []
    digest, drop = 0, pow(_BASE, WINDOW, _MODULUS)
    for k, node in enumerate(nodes):
        word = hash((node.op, tuple([a.op if type(a) is Node else None for a in node.args]))) & 0xFFFFFFFF
        words.append(word)
        digest = (digest * _BASE + word - (words[k - WINDOW] * drop if k >= WINDOW else 0)) % _MODULUS
        distance.append(k - last.get(digest, k) if k >= WINDOW - 1 else 0)
        last[digest] = k
    return distance
