"""Settings of the whole suite: repeatable random programs, and slow tests on demand."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import settings

# Before anything loads NumPy, in this process and in those that it starts: with a process on each processor,
# threads of BLAS wait for each other (on a busy machine the checks of all rules took 28 s of processor time
# instead of 11).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("repeatable")

pytest_plugins = ["pytester"]  # runs of pytest inside a test: those of the plugin


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_configure(config: pytest.Config) -> None:
    """Bytecode that may not lie beside sources lies elsewhere: processes share what one compiled."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        folder = tempfile.TemporaryDirectory(prefix="adjoint-bytecode-")
        os.environ["PYTHONPYCACHEPREFIX"] = folder.name
        config.add_cleanup(folder.cleanup)


# ---------------------------------------------------------------- what is left out is counted
LEFT_OUT = pytest.StashKey[dict[str, int]]()


def _reason(item: pytest.Item) -> str | None:
    """Why a test is left out of this run."""
    if "slow" in item.keywords and not item.config.getoption("--slow"):
        return "slow: run with --slow"
    conditions = item.iter_markers("skipif") if "gpu" in item.keywords else ()
    return next((mark.kwargs["reason"] for mark in conditions if mark.args[0] is True), None)


@pytest.hookimpl(trylast=True)  # after -k and -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Thousands of skips cost as much as small tests: they are counted instead, unless all would be."""
    reasons = [_reason(item) for item in items]
    left_out = dict(Counter(reason for reason in reasons if reason))
    if None not in reasons:
        for item, reason in zip(items, reasons, strict=True):
            item.add_marker(pytest.mark.skip(reason=str(reason)))
        return
    config.stash[LEFT_OUT] = left_out
    config.hook.pytest_deselected(items=[item for item, reason in zip(items, reasons, strict=True) if reason])
    items[:] = [item for item, reason in zip(items, reasons, strict=True) if reason is None]


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)  # to the process that gives out tests
    if output is not None:
        output["left_out"] = session.config.stash.get(LEFT_OUT, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", {})


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for reason, number in config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.write_line(f"LEFT OUT [{number}] {reason}")


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


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Of a test that passes, one report goes to the process that gives out tests, not three: two of them take
    half a millisecond, nearly what all else that pytest does for a small test takes.
    """
    option = item.config.option
    if not hasattr(item.config, "workerinput") or option.durations is not None or option.xmlpath:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in runtestprotocol(item, log=False, nextitem=nextitem):
        if report.when == "call" or not report.passed:
            item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(trylast=True)  # after the file's own fixtures
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After each file, the emulator's kernels are made known to the process that holds all against NVRTC, and
    what is left of it is put aside.
    """
    if nextitem is None or nextitem.path != item.path:
        compiler = sys.modules.get("tests.cuda_emulator.compiler")
        if compiler is not None:
            compiler.publish()
        pytest_collection_finish()


def pytest_collection_finish() -> None:
    """What stands before a file's tests is no garbage: each of many collections would look through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def no_gc() -> Iterator[None]:
    """Reference counts alone must free what is dropped."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
