"""What stands between this machine and the GPU engine, in one line for `python -m adjoint doctor`."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ...text import size_text

INSTALL = "pip install 'adjoint-autodiff[gpu]'  (CUDA 13; for CUDA 12: pip install cupy-cuda12x)"
WHEELS = ("cupy-cuda13x", "cupy-cuda12x", "cupy-cuda11x", "cupy")  # distributions that bring the module cupy


def wheels() -> list[tuple[str, str]]:
    """Installed distributions of cupy and their versions; they exclude each other."""
    found = []
    for name in WHEELS:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def condition() -> str:
    """The GPU engine in words: ready with device, driver and wheel, or what lacks and what to do about it."""
    found = wheels()
    if not found:
        return f"cupy is not installed: {INSTALL}"
    if len(found) > 1:
        return _collision(found)
    try:
        import cupy
    except ImportError as error:
        return broken(error)
    return condition_of(cupy)


def _collision(found: list[tuple[str, str]]) -> str:
    names = " and ".join(name for name, _ in found)
    return f"{names} are both installed and overwrite each other: uninstall both, then {INSTALL}"


def broken(error: ImportError) -> str:
    """Of an import that failed."""
    found = wheels()
    if len(found) > 1:
        return _collision(found)
    if not found:
        return f"cupy cannot be loaded: {_first_line(error)}; {INSTALL}"
    name = found[0][0]
    missing = {
        str(e.name).partition(".")[0] for e in (error, error.__cause__) if isinstance(e, ModuleNotFoundError)
    }
    if missing & {"cupy", "cupyx", "cupy_backends"}:
        # what was uninstalled last took the module of the other one along; pip still counts that as installed
        remedy = f"pip install --force-reinstall --no-deps {name}"
    else:
        remedy = f"pip install --force-reinstall {name}" if missing else f"pip install '{name}[ctk]'"
    return f"{' '.join(found[0])} cannot be loaded: {_first_line(error)}; {remedy}"


def condition_of(cupy: Any) -> str:
    """Of cupy once it is imported."""
    if len(wheels()) > 1:
        return _collision(wheels())
    name, number = (wheels() or [("cupy", cupy.__version__)])[0]
    runtime = cupy.cuda.runtime
    wheel, built = f"{name} {number}", cupy.cuda.get_local_runtime_version()
    serves = runtime.driverGetVersion()
    if not serves:
        return f"{wheel} is installed, but no NVIDIA driver is: install one if this machine has a GPU"
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        # the driver is asked, not the error: "insufficient" is also said of a driver that is not loaded
        if serves // 1000 < built // 1000:
            needs = f"{wheel} needs a driver of CUDA {built // 1000}, this one serves {_dotted(serves)}"
            other = f"pip uninstall {name} and pip install cupy-cuda{serves // 1000}x"
            return f"{needs}: update the driver, or {other}"
        return f"{wheel}, driver of CUDA {_dotted(serves)}: {_first_line(error)}; {_visible()}"
    if not count:
        return f"{wheel}, driver of CUDA {_dotted(serves)}, but no device; {_visible()}"
    lacking = _lacking(cupy)
    if lacking:
        return f"{wheel} lacks {lacking[0]}: pip install '{name}[ctk]'  ({lacking[1]})"
    return f"ready, {_devices(cupy, count)}; driver of CUDA {_dotted(serves)}, {wheel} with {_dotted(built)}"


def _lacking(cupy: Any) -> tuple[str, str] | None:
    """A library of CUDA that cupy cannot load, and why."""
    library = "NVRTC, which compiles kernels"
    try:
        cupy.cuda.nvrtc.getVersion()
        library = "cuBLAS, which multiplies matrices"
        _ = cupy.cuda.cublas
    except ImportError as error:
        return library, _first_line(error)
    return None


def _devices(cupy: Any, count: int) -> str:
    known = cupy.cuda.runtime.getDeviceProperties(0)
    name = known["name"]
    name = name.decode() if isinstance(name, bytes) else name
    capability = f"compute capability {known['major']}.{known['minor']}"
    text = f"{name}, {capability}, {size_text(known['totalGlobalMem'])}"
    return text if count == 1 else f"{count} devices, the first {text}"


def _visible() -> str:
    """What the user's choice of devices says."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "look at nvidia-smi" if chosen is None else f"CUDA_VISIBLE_DEVICES is {chosen!r}"


def _dotted(number: int) -> str:
    """13.0 for 13000."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _first_line(error: Exception) -> str:
    """What an error says in one line; of cupy's banner, what went wrong."""
    text = str(error).rpartition("Original error:")[2]
    return next(filter(None, (line.strip(" =") for line in text.splitlines())), type(error).__name__)
