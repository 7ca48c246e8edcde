"""CUDA C, compiled by g++ for the host: many sources in one translation unit, kept by their content."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from adjoint.engines.cpu import store
from adjoint.engines.gpu.modules import BETWEEN, prelude

HERE = Path(__file__).parent
RUNTIME = ("runtime.h", "scheduler.h", "scheduler.cpp", "checker.cpp", "functions.cpp")
HEADERS = ("runtime.h", "kernel.h", "mathematics.h")
COMMON = (
    "-std=c++17",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
    "-fno-exceptions",
    "-fno-asynchronous-unwind-tables",
)
# Products and sums are fused as on the card, at -O1 only with expensive optimizations; unused accesses stay.
# Nothing of the host's headers can be found.
KERNEL = (
    *COMMON, "-O1", "-g1", "-w", "-mfma", "-ffp-contract=fast", "-fexpensive-optimizations",
    "-fno-tree-ch", "-fno-tree-sink", "-fno-thread-jumps", "-fno-math-errno", "-fno-stack-protector",
    "-fno-strict-aliasing", "-nostdinc", "-nostdinc++",
)  # fmt: skip
CHECKED = ("-fsanitize=thread,alignment", "--param", "tsan-instrument-func-entry-exit=0")
SEEN: set[str] = set()  # the library's kernels that this process has compiled, each with its prelude
BATCH = 24  # kernels per translation unit: alone, most of them take as long as what stands before them
KEPT = 14 * 24 * 3600.0  # seconds that what nobody used stays in the cache


class CompileError(Exception):
    """g++ refused a source; the text is its own."""


@functools.cache
def missing() -> str | None:
    """What keeps the emulator from running here, or None."""
    if platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux":
        return "the CUDA emulator runs on x86-64 Linux"
    if shutil.which("g++") is None:
        return "the CUDA emulator needs g++"
    if " fma " not in Path("/proc/cpuinfo").read_text():
        return "the CUDA emulator needs a processor with fused multiply-add"
    return None


# ---------------------------------------------------------------- what is kept on disk
def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


@functools.cache
def cache_directory() -> Path:
    """Where compiled kernels are kept: beside those of the CPU engine."""
    return store.location().directory / "cuda-emulator"


@functools.cache
def folder() -> Path:
    """Where this version of the emulator keeps what it compiled, the runtime too; what grew old goes."""
    base = cache_directory()
    texts = [(HERE / name).read_text() for name in sorted({*RUNTIME, *HEADERS, "compiler.py"})]
    version = subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout
    own = base / _digest(*texts, *KERNEL, *CHECKED, version)
    own.mkdir(parents=True, exist_ok=True)
    os.utime(own)
    for path in [*base.iterdir(), *own.iterdir()]:
        with suppress(FileNotFoundError):  # another process tidies up as well
            if path.stat().st_mtime < time.time() - KEPT:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
    if not (own / "runtime.so").exists():
        sources = [str(HERE / name) for name in RUNTIME if name.endswith(".cpp")]
        _compile([*COMMON, "-O2", *sources, "-lm"], own / "runtime.so")
    return own


def _options(checked: bool) -> list[str]:
    """Of g++ for kernels."""
    return [*KERNEL, *(CHECKED if checked else ()), "-nostdlib", "-I", str(HERE)]


def _compile(arguments: Sequence[str], target: Path) -> None:
    """Run g++; the target appears complete or not at all."""
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.{threading.get_ident()}")
    done = subprocess.run(["g++", *arguments, "-o", str(unfinished)], capture_output=True, text=True)
    if done.returncode:
        raise CompileError(done.stderr[:8000])
    os.replace(unfinished, target)


@functools.cache
def runtime() -> ctypes.CDLL:
    """What launches kernels: scheduler.cpp and checker.cpp. Kernels find it, and what it links, by name."""
    library = ctypes.CDLL(str(folder() / "runtime.so"), ctypes.RTLD_GLOBAL)
    library.emu_error.restype = ctypes.c_char_p
    library.emu_culprit.restype = ctypes.c_void_p
    return library


# ---------------------------------------------------------------- sources
_DEFINITION = re.compile(
    r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\(\s*(\d+)[^)]*\)\s*)?(\w+)\s*\(([^)]*)\)'
)
_SHARED = re.compile(
    r"(extern\s+)?__shared__\s+([^;{}]*?)(\w+)\s*((?:\[[^\]]*\]\s*)*)((?:,\s*\w+\s*(?:\[[^\]]*\]\s*)*)*);"
)
_DECLARATOR = re.compile(r"(\w+)\s*((?:\[[^\]]*\]\s*)*)")


def _shared(found: re.Match[str]) -> str:
    """A declaration of shared arrays, in the words of kernel.h, on as many lines."""
    outside, type_, name, size, more = found.groups()
    type_ = " ".join(type_.split())
    lines = "\n" * found.group().count("\n")
    if outside:
        return f"EMU_DYNAMIC({type_}, {name})" + lines
    declared = [(name, size), *_DECLARATOR.findall(more)]
    return " ".join(f"EMU_SHARED({type_}, {n}, {s})" for n, s in declared) + lines


def without_comments(source: str) -> str:
    """The source on as many lines."""
    return re.sub(
        r"//[^\n]*|/\*.*?\*/", lambda found: "\n" * found.group().count("\n"), source, flags=re.DOTALL
    )


@functools.lru_cache(maxsize=4096)
def definitions(source: str) -> dict[str, tuple[str, str]]:
    """The kernels that a source defines, each with the most threads it declares and its parameters' text."""
    found = _DEFINITION.findall(without_comments(source))
    return {name: (bound, parameters) for bound, name, parameters in found}


def kernel_names(source: str) -> list[str]:
    """The kernels that a source defines."""
    return list(definitions(source))


def own_text(source: str) -> str:
    """A source without what the library puts before it."""
    return source.removeprefix(prelude())


@contextmanager
def unseen() -> Iterator[None]:
    """What is compiled inside is not added to SEEN."""
    before = set(SEEN)
    try:
        yield
    finally:
        SEEN.intersection_update(before)


def publish() -> None:
    """Tell the other processes of a run by pytest-xdist what is in SEEN."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run and SEEN:
        place = cache_directory() / f"seen-{run}"
        place.mkdir(parents=True, exist_ok=True)
        note = place / f"{os.getpid()}.new"
        note.write_text(json.dumps(sorted(SEEN)))
        os.replace(note, note.with_suffix(".json"))


def seen() -> set[str]:
    """SEEN, and what the other processes of the run have published."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    found = cache_directory().glob(f"seen-{run}/*.json") if run else ()
    return SEEN.union(*(json.loads(path.read_text()) for path in found))


def pieces(source: str) -> list[str]:
    """A module of the library, which is its prelude and many kernels, as a source for each kernel.

    Modules share most of their kernels, and each is compiled once. Any other source is one piece.
    """
    first, *kernels = source.split(BETWEEN)
    return [first + kernel for kernel in kernels] if first == prelude() else [source]


def _first() -> str:
    """The prelude, as it stands before several kernels."""
    return f'#line 1 "device.cuh"\n{without_comments(prelude())}\n'


def joined(sources: Sequence[str]) -> tuple[str, list[dict[str, str]]]:
    """Several sources as one.

    The library's prelude stands there once; each source in a namespace, and its kernels under new names.

    Returns:
        The text, and for each source its kernels' names in it.
    """
    parts, names = [], []
    if any(source.startswith(prelude()) for source in sources):
        parts.append(_first())
    for number, source in enumerate(sources):
        text = without_comments(own_text(source))
        renamed = {name: f"n{number}_{name}" for name in kernel_names(source)}
        for name, new in renamed.items():
            text = re.sub(
                rf"(\bvoid\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?){name}(?=\s*\()", rf"\g<1>{new}", text
            )
        parts.append(f'namespace n{number} {{\n#line 1 "{next(iter(renamed))}.cu"\n{text}\n}}\n')
        names.append(renamed)
    return "".join(parts), names


def _header(place: Path, checked: bool) -> str:
    """The header of the library's kernels, parsed ahead: a quarter of a small kernel's time was its."""
    text = f'#include "kernel.h"\n{_first()}'
    header = place / f"{_digest(text, str(checked))}.h"
    parsed = header.with_suffix(".h.gch")
    if not (header.exists() and parsed.exists()):
        store.write(header, text.encode())
        _compile([*_options(checked), "-x", "c++-header", str(header)], parsed)
    return header.name


def _unit(sources: Sequence[tuple[str, str]], header: str) -> str:
    """One translation unit of several sources, each with its digest; the header has the prelude."""
    text, names = joined([source for _, source in sources])
    text = text.removeprefix(_first())
    text = re.sub(r'extern\s+"C"\s+__global__', "__global__", _SHARED.sub(_shared, text))
    table = []
    for number, ((key, _), renamed) in enumerate(zip(sources, names, strict=True)):
        table += [f'EMU_KERNEL("{key}.{name}", n{number}::{new})' for name, new in renamed.items()]
    rows = "\n".join(table)
    return f'#include "{header}"\n{text}const emu_kernel emu_kernels[] = {{\n{rows}\n{{0, 0, 0}}}};\n'


def key_of(source: str, checked: bool) -> str:
    """Under which a source's library is noted."""
    return _digest(source, str(checked))


def library_of(key: str) -> Path | None:
    """The compiled batch that a source is in, if it is there."""
    with suppress(FileNotFoundError):
        path = folder() / (folder() / key).read_text()
        return path if path.exists() else None
    return None


def _build(sources: Sequence[tuple[str, str]], checked: bool) -> None:
    """Compile a batch, and note for each source where it is."""
    place = folder()
    ours = any(source.startswith(prelude()) for _, source in sources)
    text = _unit(sources, _header(place, checked) if ours else "kernel.h")
    name = _digest(text, str(checked))
    unit = place / f"{name}.cpp"
    unit.write_text(text)
    _compile([*_options(checked), str(unit)], place / f"{name}.so")
    for key, _ in sources:
        note = place / f"{key}.{os.getpid()}"
        note.write_text(f"{name}.so")
        os.replace(note, place / key)


def prepare(sources: Iterable[str], checked: bool = True, processes: int = 2) -> int:
    """Compile ahead, many sources together, what is not in the cache.

    Args:
        sources: texts as NVRTC would get them; a text may hold several kernels.
        checked: with the checks of every access.
        processes: of g++ at the same time.

    Returns:
        The number of sources that had to be compiled.

    Raises:
        CompileError: g++ refused one; the others of its batch are compiled nevertheless.
    """
    wanted = {key_of(piece, checked): piece for source in sources for piece in pieces(source)}
    if not all(map(kernel_names, wanted.values())):
        raise CompileError('no  extern "C" __global__ void NAME(...)  in the source')
    new = [(key, source) for key, source in wanted.items() if library_of(key) is None]
    batches = [new[k : k + BATCH] for k in range(0, len(new), BATCH)]

    def build(batch: list[tuple[str, str]]) -> CompileError | None:
        try:
            _build(batch, checked)
        except CompileError as error:
            if len(batch) == 1:
                return error
            failures = [build([one]) for one in batch]
            return next((failure for failure in failures if failure), None)
        return None

    with ThreadPoolExecutor(processes) as pool:
        errors = [error for error in pool.map(build, batches) if error]
    if errors:
        raise errors[0]
    SEEN.update(piece for piece in wanted.values() if piece.startswith(prelude()))
    return len(new)
