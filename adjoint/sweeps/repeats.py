"""Repeats in a sequence: where a body of several tokens follows itself, as an unrolled loop leaves it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CANDIDATES = 6  # periods tried at each place: the distances to the next occurrences of its token


def repeats(
    tokens: Sequence[int], weights: Sequence[int], saving: int, longest: int = 20_000
) -> list[tuple[int, int, int]]:
    """Find bodies that follow themselves at least three times, from left to right, without overlap.

    Of several periods at one place the one that covers most is taken, of equals the shortest.

    Args:
        tokens: the sequence; equal items have equal tokens.
        weights: boxes that an item stands for.
        saving: boxes that a repeat must save to be worth its outline.
        longest: tokens of a body at most.

    Returns:
        (start, length of the body, how often).

    >>> repeats([1, 2, 3, 2, 3, 2, 3, 4], [1] * 8, 1)
    [(1, 2, 3)]
    """
    t = np.asarray(tokens, np.int64)
    plain: list[int] = t.tolist()
    total = [0, *np.cumsum(np.asarray(weights, np.int64)).tolist()]
    following = _next_equal(t)
    found, n, end = [], len(t), 0
    for i in _promising(t, following, longest):
        if i < end:
            continue
        best = (0, 0, 0)  # covered, period, count
        j = int(following[i])
        for _ in range(CANDIDATES):
            p = j - i
            if j >= n or i + 3 * p > n or p > longest:
                break
            if plain[j + p] == plain[i] and plain[i : i + min(p, 8)] == plain[j : j + min(p, 8)]:
                count = _equal_run(t, i, p) // p + 1
                worth = count >= 3 and total[i + count * p] - total[i + p] >= saving
                if worth and count * p > best[0]:
                    best = (count * p, p, count)
            j = int(following[j])
        if best[0]:
            found.append((i, best[1], best[2]))
            end = i + best[0]
    return found


def _promising(t: np.ndarray, following: np.ndarray, longest: int) -> list[int]:
    """Places where a body may begin: what every repeat must satisfy, asked of all places at once."""
    n = len(t)
    here = np.arange(n)
    after = following[:n]
    promising = np.zeros(n, bool)
    for _ in range(CANDIDATES):
        p = after - here
        possible = np.flatnonzero((after < n) & (here + 3 * p <= n) & (p <= longest))
        i, period = here[possible], p[possible]
        for k in range(8):  # of the first three turns; ever fewer places are left
            at = i + np.minimum(k, period - 1)
            agree = (t[at] == t[at + period]) & (t[at] == t[at + 2 * period])
            i, period = i[agree], period[agree]
        promising[i] = True
        after = following[after]
    places: list[int] = np.flatnonzero(promising).tolist()
    return places


def _next_equal(t: np.ndarray) -> np.ndarray:
    """For each place that of the next equal token, the length where there is none (and for the end)."""
    n = len(t)
    order = np.argsort(t, kind="stable")
    following = np.full(n + 1, n, np.int64)
    same = t[order[1:]] == t[order[:-1]]
    following[order[:-1][same]] = order[1:][same]
    return following


def _equal_run(t: np.ndarray, i: int, p: int) -> int:
    """How many tokens from i on equal those p further."""
    run, block, n = 0, 64, len(t)
    while i + p + run < n:
        a = t[i + run : i + run + block]
        b = t[i + p + run : i + p + run + block]
        differing = np.flatnonzero(a[: len(b)] != b)
        if len(differing):
            return run + int(differing[0])
        run += len(b)
        block *= 2
    return run
