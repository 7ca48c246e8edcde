"""Kernel text in, address of machine code out; compiled once per machine.

A kernel is the body of a numba module. Its text becomes a real file in the kernel directory, in a folder
named by everything else that shapes machine code: versions, processor, options, and the support modules,
which are copied beside it. `translate` hands it to LLVM; what that does not know, numba compiles, whose
import and first use take 0.6 s, and each kernel a quarter of a second to two. The object code is kept.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
import threading
import time
import types
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import AdjointError
from . import objects, store

# Modules that kernels may import: of adjoint they import nothing but each other.
SUPPORT = (
    "layout", "intrinsics", "entries", "memory", "vmath", "dialect", "arithmetic",
    "expressions", "translate",
)  # fmt: skip
PRELUDE = """\
import numpy as np
from .entries import cfunc, njit, types
from .intrinsics import *
from .memory import *
from .vmath import *
INF = np.inf
NAN = np.nan
"""
# numba's settings that leave machine code as it is
_HARMLESS = {
    "NUMBA_CACHE_DIR",
    "NUMBA_NUM_THREADS",
    "NUMBA_THREADING_LAYER",
    "NUMBA_THREADING_LAYER_PRIORITY",
}


class Kernel(NamedTuple):
    """Machine code of one entry.

    Attributes:
        address: of `void(int64* block, int64 chunk)`, or whatever the entry's signature is.
        name: of the generated module, `k_…`.
        compiled: by this call; else it was found on disk or in memory.
        seconds: this call took, numba's own start included.
    """

    address: int
    name: str
    compiled: bool
    seconds: float


class Statistics(NamedTuple):
    """Kernels this process compiled and loaded from disk, and the seconds spent."""

    compiled: int = 0
    compile_seconds: float = 0.0
    loaded: int = 0
    load_seconds: float = 0.0


# Generated modules go by these names and the environment's digest: those for numba, and the translated ones.
_PACKAGE = "adjoint_kernels_"
_QUICK = _PACKAGE + "quick_"

_lock = threading.RLock()
_known: dict[tuple[str, str], Kernel] = {}
_counts = Statistics()


def load(text: str, entry: str = "entry", *, prelude: str = PRELUDE) -> Kernel:
    """Machine code of a kernel, from memory, from disk, or compiled now.

    Args:
        text: body of a numba module with `entry = @cfunc("void(CPointer(int64), int64)")`, `cfunc` being
            that of `entries`. The kernel must not raise: say `error_model="numpy"` if it divides.
        entry: which cfunc of the module; a module may define several, all are compiled and kept at once.
        prelude: what stands before the text; `""` for a module with imports of its own.

    Returns:
        The kernel; its code stays valid until the process ends.

    Raises:
        AdjointError: numba is missing or switched off, or the text defines no such cfunc.
        numba.core.errors.NumbaError: the text does not compile, not by numba either.
    """
    global _counts
    source = prelude + text
    with _lock:
        if (source, entry) in _known:
            return _known[source, entry]._replace(compiled=False, seconds=0.0)
        reason = unavailable()
        if reason:
            raise AdjointError(f"kernels cannot be compiled: {reason}")
        start = time.perf_counter()
        name = "k_" + hashlib.sha256(source.encode()).hexdigest()[:20]
        address = _stored(name, entry)
        compiled = address is None
        if address is None:
            address = _compiled(name, source, entry)
        seconds = time.perf_counter() - start
        kernel = _known[source, entry] = Kernel(address, name, compiled, seconds)
        c = _counts
        if compiled:
            _counts = c._replace(compiled=c.compiled + 1, compile_seconds=c.compile_seconds + seconds)
        else:
            _counts = c._replace(loaded=c.loaded + 1, load_seconds=c.load_seconds + seconds)
        return kernel


def statistics() -> Statistics:
    """What this process compiled and loaded so far."""
    return _counts


def unavailable() -> str:
    """Why no kernel can be compiled here; empty when it can."""
    if sys.maxsize < 2**32:
        return "kernels hold addresses in 64 bits"
    if importlib.util.find_spec("numba") is None:
        return "numba is not installed"
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return "NUMBA_DISABLE_JIT is set"
    return ""


def folder() -> Path:
    """Where the kernels of this environment live: one folder per set of versions, processor and options."""
    return store.location().directory / f"kernels-{_environment()}"


def clear() -> tuple[int, int]:
    """Remove the kernels of every environment; what is loaded stays usable.

    Returns:
        Files and bytes removed.
    """
    with _lock:
        files = size = 0
        for directory in store.location().directory.glob("kernels-*"):
            count, total = store.usage(directory)
            files, size = files + count, size + total
            shutil.rmtree(directory, ignore_errors=True)
        _known.clear()
        _forget_modules()
        return files, size


@cache
def _environment() -> str:
    """A digest of what shapes machine code, apart from the kernel's own text."""
    import llvmlite  # type: ignore[import-untyped]
    import numpy
    from llvmlite import binding

    numba = importlib.util.find_spec("numba")
    assert numba is not None and numba.origin is not None
    options = sorted((k, v) for k, v in os.environ.items() if k.startswith("NUMBA_") and k not in _HARMLESS)
    facts = [
        # read, not imported: numba takes 0.2 s
        store.read(Path(numba.origin).with_name("_version.py")),
        llvmlite.__version__, numpy.__version__, sys.version, sys.platform,
        object.__basicsize__, tuple.__basicsize__,
        binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten(), options,
        store.read(Path(".numba_config.yaml")),
        sorted(_support().items()),
    ]  # fmt: skip
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


@cache
def _support() -> dict[str, str]:
    """Text of the support modules by name."""
    here = Path(__file__).parent
    return {name: (here / f"{name}.py").read_text(encoding="utf-8") for name in SUPPORT}


def _stored(name: str, entry: str) -> int | None:
    """The address of an entry whose object code is on disk and can run without numba."""
    data = store.read(folder() / f"{name}.{entry}.o")
    found = store.unseal(data) if data is not None else None
    return objects.link(found[1], found[0]) if found is not None else None


def _compiled(name: str, source: str, entry: str) -> int:
    """Run the module through numba and keep the code of all its entries."""
    try:
        entries = _entries(_module(name, source, _QUICK))
    except Exception as error:
        if type(error).__name__ != "Unsupported":
            raise
        entries = _by_numba(name, source)
    if entry not in entries:
        raise AdjointError(f"kernel {name} defines no cfunc named {entry}")
    for other, compiled in entries.items():
        if hasattr(compiled, "code"):  # numba's own cfunc has its own cache
            with suppress(OSError):  # the disk is full: the next process compiles again
                store.write(folder() / f"{name}.{other}.o", store.seal(compiled.symbol, compiled.code))
    found = entries[entry]
    if hasattr(found, "address"):
        return int(found.address)
    address = objects.link(found.code, found.symbol)
    if address is None:
        raise AdjointError(f"kernel {name} calls what is not there: {objects.undefined(found.code)}")
    return address


def _entries(module: types.ModuleType) -> dict[str, Any]:
    return {k: v for k, v in vars(module).items() if hasattr(v, "address") or hasattr(v, "symbol")}


def _by_numba(name: str, source: str) -> dict[str, Any]:
    """What the translator does not know, numba compiles."""
    try:
        return _entries(_module(name, source, _PACKAGE))
    except Exception as error:
        if not _caused_by_cache(error):
            raise
    # numba's index or code is damaged, or was removed by another process: make them anew
    _forget_modules()
    for path in folder().glob("__pycache__/*.nb?"):
        path.unlink(missing_ok=True)
    return _entries(_module(name, source, _PACKAGE))


def _module(name: str, source: str, family: str) -> types.ModuleType:
    """Execute a module from a file in the folder, the support modules it imports before it."""
    path = folder() / f"{name}.py"
    try:
        store.write(path, source.encode())
    except OSError as error:
        store.give_up(error)
        return _module(name, source, family)
    package = family + _environment()
    sys.modules.setdefault(package, types.ModuleType(package))
    for needed in re.findall(r"^from \.(\w+) import", source, re.MULTILINE):
        if f"{package}.{needed}" not in sys.modules:
            text = "translate" if (needed, family) == ("entries", _QUICK) else needed
            module = _module(text, _support()[text], family)
            sys.modules[f"{package}.{needed}"] = module
    module = types.ModuleType(f"{package}.{name}")
    module.__file__, module.__package__ = str(path), package
    # before execution: numba pickles functions by the name of their module
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


def _caused_by_cache(error: BaseException | None) -> bool:
    """Whether an exception came out of numba's disk cache."""
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_globals.get("__name__") == "numba.core.caching":
                return True
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    return False


def _forget_modules() -> None:
    for name in [n for n in sys.modules if n.startswith(_PACKAGE)]:
        del sys.modules[name]
