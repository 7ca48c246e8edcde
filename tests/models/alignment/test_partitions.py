"""Scores in pieces: the one-process answer, whatever computes the pieces and whoever dies."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from typing import Any

import numpy as np
import pytest

from adjoint.errors import MissingPackageError
from adjoint.models import align
from adjoint.models.alignment import Alignment, Partitions, Progress, Scores, Status
from adjoint.models.base import DataError

from ..harness import refused
from .samples import random_scores

dask = pytest.importorskip("dask")

PIECES = (0, 70, 71, 300)  # prompts: pieces of very different sizes, one of a single prompt
CONSTRAINTS = ["a>=0.2", "b>=0.3 relative"]


def piece(k: int) -> Scores:
    """What a worker loads."""
    whole = random_scores(3, 300, "abc", weighted=True)
    return whole.take(np.arange(PIECES[k], PIECES[k + 1]))


def pieces() -> Partitions:
    return Partitions([dask.delayed(piece)(k) for k in range(3)])


def same(one: Alignment, other: Alignment) -> None:
    assert one.status is other.status is Status.SOLVED
    for field in (
        "multipliers",
        "levels",
        "utilities",
        "standard_errors",
        "reference_utilities",
        "share_below",
    ):
        assert getattr(one, field) == pytest.approx(getattr(other, field), abs=1e-10), field
    for field in ("beta", "reward", "kl", "objective"):
        assert getattr(one, field) == pytest.approx(getattr(other, field), abs=1e-10), field
    for field in ("covariance", "response", "effective_sizes"):
        np.testing.assert_allclose(getattr(one, field), getattr(other, field), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("form", [{"beta": 0.5}, {"kl_budget": 0.5}], ids=["beta", "budget"])
def test_pieces_give_the_answer_of_the_whole(form: dict[str, float]) -> None:
    whole = random_scores(3, 300, "abc", weighted=True)
    with dask.config.set(scheduler="synchronous"):
        found = align(pieces(), constraints=CONSTRAINTS, bootstrap=3, random_state=0, **form)
        expected = align(whole, constraints=CONSTRAINTS, bootstrap=3, random_state=0, **form)
        same(found, expected)
        assert found.bootstrap is not None and expected.bootstrap is not None
        np.testing.assert_allclose(found.bootstrap.samples, expected.bootstrap.samples, atol=1e-8)
        np.testing.assert_allclose(found.weights(), expected.weights(), atol=1e-10)
        assert len(found.delayed_weights()) == 3
        curves = [a.pareto("c", [0.1, 0.2]).multipliers for a in (found, expected)]
        np.testing.assert_allclose(*curves, atol=1e-9)
        refused(DataError, "the scores lie in 3 partitions", lambda: found.scores)
        refused(DataError, "the scores lie in this process", lambda: expected.delayed_weights())


def test_pieces_are_loaded_once() -> None:
    loaded: list[int] = []

    def load(k: int) -> Scores:
        loaded.append(k)
        return piece(k)

    with dask.config.set(scheduler="synchronous"):
        found = align(Partitions([dask.delayed(load)(k) for k in range(3)]), beta=0.5, constraints="a>=0.2")
        assert sorted(loaded) == [0, 1, 2]
        found.pareto("a", [0.1, 0.2])
    assert sorted(loaded) == [0, 0, 1, 1, 2, 2]


def test_infeasible_pieces() -> None:
    with dask.config.set(scheduler="synchronous"):
        found = align(pieces(), beta=0.5, constraints=["a>=1.2", "b>=1.2"])
    expected = align(random_scores(3, 300, "abc", weighted=True), beta=0.5, constraints=["a>=1.2", "b>=1.2"])
    assert found.status is Status.INFEASIBLE and repr(found) == repr(expected)


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    refused(DataError, "no partitions", lambda: Partitions([]))
    refused(
        DataError, "partition 0 should be a dask.delayed object, got Scores", lambda: Partitions([piece(0)])
    )
    scores, other = piece(0), random_scores(0, 5, "ab", weighted=True)
    plain = random_scores(0, 5, "abc")
    with dask.config.set(scheduler="synchronous"):
        for parts, text in (
            ([scores, 3], "partition 1 gave a int, not Scores"),
            ([scores, other], "partition 1 has utilities ['a', 'b'], partition 0 has ['a', 'b', 'c']"),
            ([scores, plain], "of the partitions 0 and 1 one has a log_base, the other none"),
        ):  # fmt: skip
            given = Partitions([dask.delayed(part) for part in parts])
            refused(DataError, text, lambda given=given: align(given, beta=1.0, constraints="a>=0"))  # type: ignore[misc]
    monkeypatch.setitem(sys.modules, "dask", None)
    refused(MissingPackageError, "pip install 'adjoint-autodiff[dask]'", lambda: Partitions([1]))


@pytest.mark.slow
def test_two_workers_one_of_which_dies() -> None:
    """On a cluster of two processes: to 1e-10, also when a worker is killed between two Newton steps."""
    distributed = pytest.importorskip("distributed")
    expected = align(random_scores(3, 300, "abc", weighted=True), beta=0.5, constraints=CONSTRAINTS)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = align(pieces(), beta=0.5, constraints=CONSTRAINTS)
        same(found, expected)
        assert pickle.loads(pickle.dumps(found.multipliers)) == found.multipliers
        killed: list[int] = []

        def kill(progress: Progress) -> None:
            if progress.done == 2 and not killed:
                holders: dict[str, Any] = client.has_what()
                worker = max(holders, key=lambda w: len(holders[w]))
                killed.append(client.run(os.getpid, workers=[worker])[worker])
                os.kill(killed[0], signal.SIGKILL)

        again = align(pieces(), beta=0.5, constraints=CONSTRAINTS, progress=kill)
        assert killed
        same(again, expected)
