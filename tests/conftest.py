"""Settings of the whole suite: repeatable random programs, and slow tests on demand."""

from __future__ import annotations

import gc
from collections.abc import Iterator

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


@pytest.fixture
def no_gc() -> Iterator[None]:
    """Reference counts alone must free what is dropped."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
