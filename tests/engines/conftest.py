"""Every test of whole programs runs on every engine; what only the CPU engine does is marked `numba`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import adjoint as ad

from .gpu.machine import MACHINES, compiler, machine

SHARED = frozenset({
    "test_complex", "test_dense", "test_determinism", "test_inputs", "test_joined", "test_library",
    "test_multipliers", "test_names", "test_outputs", "test_programs", "test_random", "test_refusals",
    "test_rows", "test_rules", "test_waiting", "test_wide_programs",
})  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2] in SHARED:
        cpu = metafunc.definition.get_closest_marker("numba")
        metafunc.parametrize("device", ["numba", *([] if cpu else MACHINES)], indirect=True, scope="module")


# The emulator takes a compiler's run for each program. Of these files' programs it gets one in so many, in
# their order, where those of one kind stand together; --slow gives it all.
HERE = Path(__file__).parent
STRIDES = {HERE / "test_names.py": 3, HERE / "test_random.py": 2}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Programs that the emulator's ordinary run leaves out are slow."""
    met = Counter[Path]()
    for item in items:
        if item.path not in STRIDES or "slow" in item.keywords or "[emulator-" not in item.name:
            continue
        if met[item.path] % STRIDES[item.path]:
            item.add_marker(pytest.mark.slow)
        met[item.path] += 1


@pytest.fixture(scope="module")
def device(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The module cupy of a machine; None where NumPy's arrays are."""
    name = getattr(request, "param", "numba")
    if name == "numba":
        yield None
    else:
        with machine(name) as cupy:
            yield cupy


@pytest.fixture(autouse=True)
def engine(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ad.compile` compiles for the device."""
    if device is not None:
        monkeypatch.setattr(ad, "compile", compiler(device))
