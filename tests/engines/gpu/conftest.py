"""Tests of the CPU engine's programs, run on the GPU engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import adjoint as ad

from .machine import MACHINES, compiler, machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What compiles every kernel of the run comes after everything that asks for one."""
    items.sort(key=lambda item: item.path.name == "test_sources.py")


@pytest.fixture(scope="module", params=MACHINES)
def cupy(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The module cupy of each machine."""
    with machine(request.param) as module:
        yield module


@pytest.fixture
def compiled_for_gpu(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ad.compile` compiles for the GPU."""
    monkeypatch.setattr(ad, "compile", compiler(cupy))
