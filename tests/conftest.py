"""Settings of the whole suite: repeatable random programs, and slow tests on demand."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("repeatable")

pytest_plugins = ["pytester"]  # runs of pytest inside a test: those of the plugin


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))


# ---------------------------------------------------------------- pytest-xdist: -n auto
MOST_WORKERS = 4  # each collects everything, and many compile the same first kernels


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process per processor, up to a few."""
    return min(MOST_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file stays in one process, which pays once for its fixtures and kernels; files in their order."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # the last is to come last: see engines/gpu/conftest.py
    return LoadFileScheduling(config, log)


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After each file, the emulator's kernels are made known to the process that holds all against NVRTC."""
    if nextitem is None or nextitem.path != item.path:
        compiler = sys.modules.get("tests.cuda_emulator.compiler")
        if compiler is not None:
            compiler.publish()


@pytest.fixture
def no_gc() -> Iterator[None]:
    """Reference counts alone must free what is dropped."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
