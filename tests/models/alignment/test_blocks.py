"""Blocks have every prompt once; sums over them are sums over prompts, ragged or dense."""

from __future__ import annotations

import numpy as np
import pytest

from adjoint.models.alignment import Scores
from adjoint.models.alignment import blocks as module
from adjoint.models.alignment.blocks import blocks, padded
from adjoint.models.alignment.evaluate import Local, Point

from .samples import random_scores

AT = Point(2.0, np.array([0.3, 0.5]), 0.1, np.array([0.1, 0.2]))


@pytest.mark.parametrize("rows", [1, 7, 50, 10_000])
@pytest.mark.parametrize("kind", ["short", "long and short", "one", "many single"])
def test_every_prompt_once(rows: int, kind: str) -> None:
    counts = {
        "short": np.random.default_rng(0).integers(1, 6, size=200),
        "long and short": np.array([40, 1, 1, 1, 90, 1, 2, 3, 1, 1, 1, 1, 1, 1, 1, 1, 30]),
        "one": np.array([5]),
        "many single": np.concatenate([[100], np.ones(300, dtype=int)]),
    }[kind]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    seen: list[int] = []
    shapes = set()
    column, mark = padded(np.arange(float(offsets[-1])), rows), np.arange(1.0, len(counts) + 1)
    for block in blocks(offsets, rows=rows):
        assert block.offsets is not None and block.offsets[0] == 0
        assert block.offsets[-1] == block.rows.stop - block.rows.start
        assert np.all(np.diff(block.offsets) >= 0) and len(block.offsets) == block.segments + 1
        shapes.add((block.rows.stop - block.rows.start, block.segments))
        seen += list(range(block.prompts.start, block.prompts.stop))
        own = block.view(column)[block.own_rows()]
        np.testing.assert_array_equal(own, column[offsets[block.prompts.start] : offsets[block.prompts.stop]])
        spread = block.spread(mark)
        np.testing.assert_array_equal(block.own(spread), mark[block.prompts])
        assert np.count_nonzero(spread) == block.prompts.stop - block.prompts.start
    assert seen == list(range(len(counts))) and len(shapes) == 1


@pytest.mark.parametrize("weighted", [False, True])
def test_windows_change_no_sum(weighted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ragged in one window and in many, and dense in many: one answer, which is that of plain sums."""
    rng = np.random.default_rng(0)
    N, K = 61, 5
    base = rng.normal(size=(N, K)) if weighted else None
    columns = {name: rng.normal(size=(N, K)) for name in "ab"}
    scores = Scores.dense(rng.normal(size=(N, K)), columns, base)
    weight = rng.integers(0, 3, size=N).astype(float)
    found = []
    for rows, many in ((1 << 15, 1 << 20), (33, 1 << 20), (33, 1)):
        monkeypatch.setattr(module.blocks, "__defaults__", (None, rows))
        monkeypatch.setattr(module, "MANY", many)
        source = Local(scores, ["a", "b"])
        assert {block.width for block, _ in source._blocks("dual")} == {K if many == 1 else 0}
        u = np.array([0.4, 0.6])
        found.append([
            *source.dual(AT, weight), *source.moments(AT), source.weights(AT), *source.support(u, AT.levels),
            source.extremes(),
        ])  # fmt: skip
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_allclose(two, one, rtol=1e-12, atol=1e-12)
    by_hand(scores, weight, found[0])


def by_hand(scores: Scores, weight: np.ndarray, found: list[np.ndarray]) -> None:
    total, log, means, second = found[:4]
    shape = (scores.n_prompts, -1)
    gaps = [(g - b).reshape(shape) for g, b in zip(scores.utilities.values(), AT.levels, strict=True)]
    t = 2.0 * (scores.reward.reshape(shape) - 0.1) + 0.3 * gaps[0] + 0.5 * gaps[1]
    base = np.zeros_like(t) if scores.log_base is None else scores.log_base.reshape(shape)
    w = np.exp(base) / np.sum(np.exp(base), axis=1, keepdims=True)
    z = w * np.exp(t)
    p = z / np.sum(z, axis=1, keepdims=True)
    columns = [*gaps, t]
    mean = np.stack([np.sum(p * c, axis=1) for c in columns], axis=1)
    cov = [[np.sum(p * a * b, axis=1) for b in columns] for a in columns] - np.einsum(
        "ni,nj->ijn", mean, mean
    )
    np.testing.assert_allclose(total, np.sum(weight))
    np.testing.assert_allclose(log, weight @ np.log(np.sum(z, axis=1)), rtol=1e-12)
    np.testing.assert_allclose(means, weight @ mean, rtol=1e-12)
    np.testing.assert_allclose(second, cov @ weight, rtol=1e-10)
    np.testing.assert_allclose(found[10], p.ravel(), rtol=1e-12)
    along = 0.4 * gaps[0] + 0.6 * gaps[1]
    np.testing.assert_allclose(found[11], np.sum(np.max(along, axis=1)), rtol=1e-12)
    best = np.argmax(along, axis=1)[:, None]
    np.testing.assert_allclose(found[12], [np.sum(np.take_along_axis(g, best, 1)) for g in gaps], rtol=1e-12)


def test_scores_far_from_zero_lose_no_digits() -> None:
    scores = random_scores(1, 40, "ab")
    far = Scores(scores.offsets, scores.reward + 1e8, {k: g + 1e6 for k, g in scores.utilities.items()})
    near = Local(scores, ["a", "b"]).dual(AT)
    moved = Local(far, ["a", "b"]).dual(AT._replace(center=AT.center + 1e8, levels=AT.levels + 1e6))
    np.testing.assert_allclose(moved.second, near.second, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moved.means, near.means, rtol=1e-6, atol=1e-6)
