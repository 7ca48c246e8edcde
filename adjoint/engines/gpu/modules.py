"""Kernels' sources as functions on the device: compiled once, kept on disk by cupy.

The kernels that a program needs and nobody has compiled yet go into one module: most of the time that NVRTC
takes for a small kernel goes into what stands before it.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from ...errors import DeviceError
from .device import unusable

OPTIONS = ("-std=c++17",)
BETWEEN = "\n// ---- the next kernel\n"


class Function(NamedTuple):
    """A kernel on the device.

    Attributes:
        launch: cupy's `launch(grid, block, arguments, shared_mem=bytes)`.
        name: unique to its source.
    """

    launch: Any
    name: str


@cache
def prelude() -> str:
    """The device functions that stand before every kernel."""
    return files(__package__).joinpath("device.cuh").read_text(encoding="utf-8")


@cache
def unique(source: str, name: str) -> str:
    """The name of a kernel in a module of many: two sources never share it."""
    return f"{name}_{hashlib.sha256((prelude() + source).encode()).hexdigest()[:16]}"


def module_text(kernels: Iterable[tuple[str, str]]) -> str:
    """One source of several kernels, given as (source, name), each under its unique name."""
    parts = [prelude()]
    for source, name in kernels:
        own = unique(source, name)
        head = rf"(\bvoid\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?){re.escape(name)}(?=\s*\()"
        text, count = re.subn(head, rf"\g<1>{own}", source)
        assert count, f"no kernel {name} in\n{source}"
        # every kernel has its own names: constants, helpers and types of two of them must not meet
        parts.append(f"namespace of_{own} {{\n{text}\n}}\nusing namespace of_{own};")
    return BETWEEN.join(parts)


class Functions:
    """The kernels of one device, by source."""

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy
        self._known: dict[str, Function] = {}
        self._lock = threading.Lock()

    def load(self, kernels: Iterable[tuple[str, str]]) -> tuple[list[Function], set[str]]:
        """Functions for (source, name) pairs, and the names of those that this process did not have yet.

        These are compiled, or come from where cupy keeps modules (`CUPY_CACHE_DIR`, else
        ~/.cupy/kernel_cache), as it finds the very same source there, compiled for this device.

        Raises:
            DeviceError: NVRTC refuses a source, which is a fault of this library or of its installation; it
                is not there; or the driver does not load what it has made.
        """
        wanted = list(kernels)
        names = [unique(*pair) for pair in wanted]
        with self._lock:
            new = {name: pair for name, pair in zip(names, wanted, strict=True) if name not in self._known}
            if new:
                pairs = [new[name] for name in sorted(new)]
                module = self._cupy.RawModule(code=module_text(pairs), options=OPTIONS, backend="nvrtc")
                try:
                    for name in sorted(new):
                        self._known[name] = Function(module.get_function(name), name)
                except self._cupy.cuda.compiler.CompileException as error:
                    raise DeviceError(f"NVRTC refuses a kernel: {str(error).strip()}") from error
                except ImportError as error:  # of NVRTC itself
                    raise unusable(self._cupy) from error
                except self._cupy.cuda.driver.CUDADriverError as error:
                    what = f"the driver refuses a module of kernels: {str(error).strip()}"
                    raise DeviceError(
                        f"{what}\n  python -m adjoint doctor says whether cupy and it agree"
                    ) from error
        return [self._known[name] for name in names], {*new}


_devices: dict[tuple[Any, int], Functions] = {}


def functions_of(cupy: Any) -> Functions:
    """The kernels of the current device."""
    key = cupy, cupy.cuda.Device().id
    if key not in _devices:
        _devices[key] = Functions(cupy)
    return _devices[key]
