"""Random programs over arrays of a device: values, multipliers and second derivatives are the host's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import adjoint as ad
from tests.device_programs import fetched
from tests.engines.gpu.machine import EAGER, machine

from ..helpers import close, normal, record
from .test_random_programs import Draft, build, programs


@pytest.fixture(scope="module", params=EAGER)
def cupy(request: pytest.FixtureRequest) -> Iterator[Any]:
    with machine(request.param) as module:
        yield module


def swept(f: Any, args: list[Any]) -> list[Any]:
    """The values and multipliers of all nodes, in the order of the tape."""
    tape, loss, _ = record(f, *args)
    return [tape.values, ad.Lagrangian(tape, loss).lam]


def second(f: Any, args: list[Any], v: Any) -> Any:
    return ad.hessian_vector_product(lambda *x: f(*x), tuple(range(len(args))))(*args, v)


def known(lam: Any, cupy: Any) -> Any:
    return [x for x in fetched(cupy, lam) if x is not None]


@given(programs)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_programs_are_the_same_there(cupy: Any, draft: Draft) -> None:
    f, args = build(draft)
    # a Python number that is reshaped becomes an array of the host, so numbers go there too
    there = [cupy.asarray(a) for a in args]
    for found, expected in zip(swept(f, there), swept(f, args), strict=True):
        assert len(found) == len(expected)
        close(known(found, cupy), known(expected, cupy), 1e-9)
    args = [np.asarray(a)[()] for a in args]
    v = tuple(np.asarray(normal(*np.shape(a), seed=k))[()] for k, a in enumerate(args))
    close(fetched(cupy, second(f, there, tuple(cupy.asarray(d) for d in v))), second(f, args, v), 1e-7)
