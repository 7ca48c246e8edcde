"""Tests of the GPU engine alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from adjoint.engines.gpu import modules

from ...cuda_emulator import compiler
from .machine import MACHINES, machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What compiles every kernel of the run comes after everything that asks for one."""
    items.sort(key=lambda item: item.path.name == "test_sources.py")


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Kernels with faults planted in them are none of the library's, to be held against NVRTC."""
    with compiler.unseen():
        yield


@pytest.fixture
def no_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel is on the device yet, whatever has run before."""
    monkeypatch.setattr(modules, "_devices", {})


@pytest.fixture(scope="module", params=MACHINES)
def cupy(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The module cupy of each machine."""
    with machine(request.param) as module:
        yield module
