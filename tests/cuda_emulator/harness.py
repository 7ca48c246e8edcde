"""CUDA C, compiled by g++ and run on the host: one fiber per thread, every access checked.

    module = Module(source)
    module.run("scale", (4,), (128,), x, y, np.int64(x.size), np.float32(2.0))

Sources are compiled as they are, many in one translation unit (`prepare`), and kept in a cache directory by
their content. Runs on x86-64 Linux with g++ 11 or later; `missing()` says what lacks.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).parent
RUNTIME = ("runtime.h", "scheduler.h", "scheduler.cpp", "checker.cpp", "functions.cpp")
HEADERS = ("runtime.h", "kernel.h", "mathematics.h")
ORDERS = (0, 1, 2)  # of threads and blocks: ascending, descending, shuffled
COMMON = (
    "-std=c++17",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
    "-fno-exceptions",
    "-fno-asynchronous-unwind-tables",
)
# Multiplications and additions are fused as on the card; nothing of the host's headers can be found.
KERNEL = (
    *COMMON, "-O1", "-w", "-mfma", "-ffp-contract=fast", "-fno-stack-protector", "-fno-math-errno",
    "-fno-strict-aliasing", "-nostdinc", "-nostdinc++",
)  # fmt: skip
CHECKED = ("-fsanitize=thread", "--param", "tsan-instrument-func-entry-exit=0")
BATCH = 24  # kernels per translation unit: two processors share a big batch
KEPT = 14 * 24 * 3600.0  # seconds that what nobody used stays in the cache

_lock = threading.RLock()


class CompileError(Exception):
    """g++ refused a source; the text is its own."""


class LaunchError(RuntimeError):
    """A launch that the driver would refuse, or that did what no kernel may do."""


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
    """Where compiled kernels are kept: the user's cache directory, or one in the temporary directory."""
    base = os.environ.get("XDG_CACHE_HOME") or Path(tempfile.gettempdir()) / f"cache-{os.getuid()}"
    return Path(base) / "adjoint-cuda-emulator"


@functools.cache
def _folder() -> Path:
    """The cache directory of this version of the emulator, with its runtime compiled; what grew old goes."""
    base = cache_directory()
    texts = [(HERE / name).read_text() for name in sorted({*RUNTIME, *HEADERS, "harness.py"})]
    version = subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout
    folder = base / _digest(*texts, *KERNEL, *CHECKED, version)
    folder.mkdir(parents=True, exist_ok=True)
    for path in [*base.iterdir(), *folder.iterdir()]:
        if path != folder and path.stat().st_mtime < time.time() - KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    os.utime(folder)
    if not (folder / "runtime.so").exists():
        sources = [str(HERE / name) for name in RUNTIME if name.endswith(".cpp")]
        _compile([*COMMON, "-O2", *sources, "-lm"], folder / "runtime.so")
    return folder


def _compile(arguments: Sequence[str], target: Path) -> None:
    """Run g++; the target appears complete or not at all."""
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.{threading.get_ident()}")
    done = subprocess.run(["g++", *arguments, "-o", str(unfinished)], capture_output=True, text=True)
    if done.returncode:
        raise CompileError(done.stderr[:8000])
    os.replace(unfinished, target)


@functools.cache
def _runtime() -> ctypes.CDLL:
    library = ctypes.CDLL(str(_folder() / "runtime.so"))
    library.emu_error.restype = ctypes.c_char_p
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


def kernel_names(source: str) -> list[str]:
    """The kernels that a source defines."""
    return [name for _, name, _ in _DEFINITION.findall(without_comments(source))]


@functools.cache
def device_prelude() -> str:
    """What the library puts before each of its kernels, which one translation unit needs once."""
    path = HERE.parents[1] / "adjoint" / "engines" / "gpu" / "device.cuh"
    return path.read_text() if path.exists() else ""


def pieces(source: str) -> list[str]:
    """A module of the library, which is its prelude and a namespace per kernel, as a source for each kernel.

    Modules share most of their kernels, and each is compiled once. Any other source is one piece.
    """
    prelude = device_prelude()
    parts = re.split(r"(?m)^(?=namespace \w+ \{)", source.removeprefix(prelude))
    if (
        not prelude
        or not source.startswith(prelude)
        or parts[0].strip()
        or not all(map(kernel_names, parts[1:]))
    ):
        return [source]
    return [prelude + part for part in parts[1:]]


def _unit(sources: Sequence[tuple[str, str]], checked: bool) -> str:
    """One translation unit of several sources, each with its digest, in a namespace of its own."""
    prelude = device_prelude()
    common = prelude and any(source.startswith(prelude) for _, source in sources)
    parts = ['#include "kernel.h"\n']
    table = []
    if common:
        parts.append(f'#line 1 "device.cuh"\n{_SHARED.sub(_shared, without_comments(prelude))}\n')
    for number, (key, source) in enumerate(sources):
        names = kernel_names(source)
        own = source.removeprefix(prelude) if common else source
        text = re.sub(r'extern\s+"C"\s+__global__', "__global__", _SHARED.sub(_shared, without_comments(own)))
        parts.append(f'namespace s{number} {{\n#line 1 "{"-".join(names)[:60]}.cu"\n{text}\n}}\n')
        table += [f'EMU_KERNEL("{key}.{name}", s{number}::{name})' for name in names]
    parts.append("const emu_kernel emu_kernels[] = {\n" + "\n".join(table) + "\n{0, 0, 0}};\n")
    return "".join(parts)


def _key(source: str, checked: bool) -> str:
    return _digest(source, str(checked))


def _build(sources: Sequence[tuple[str, str]], checked: bool) -> None:
    """Compile a batch, and note for each source where it is."""
    folder = _folder()
    text = _unit(sources, checked)
    name = _digest(text, str(checked))
    unit = folder / f"{name}.cpp"
    unit.write_text(text)
    arguments = [*KERNEL, *(CHECKED if checked else ()), "-nodefaultlibs", "-I", str(HERE), str(unit)]
    _compile([*arguments, str(folder / "runtime.so"), "-lm"], folder / f"{name}.so")
    for key, _ in sources:
        note = folder / f"{key}.{os.getpid()}"
        note.write_text(f"{name}.so")
        os.replace(note, folder / key)


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
    folder = _folder()
    wanted = {_key(piece, checked): piece for source in sources for piece in pieces(source)}
    if not all(map(kernel_names, wanted.values())):
        raise CompileError('no  extern "C" __global__ void NAME(...)  in the source')
    new = [(key, source) for key, source in wanted.items() if not (folder / key).exists()]
    size = max(1, min(BATCH, -(-len(new) // processes)))
    batches = [new[k : k + size] for k in range(0, len(new), size)]

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
    return len(new)


# ---------------------------------------------------------------- modules and kernels
class _Entry(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("signature", ctypes.c_char_p), ("call", ctypes.c_void_p))


@functools.cache
def _library(path: Path) -> tuple[ctypes.CDLL, dict[str, _Entry]]:
    library = ctypes.CDLL(str(path))
    bounds = (ctypes.c_void_p * 2).in_dll(library, "emu_image_bounds")
    _runtime().emu_image(ctypes.c_void_p(bounds[0]), ctypes.c_void_p(bounds[1]))
    address = ctypes.addressof(ctypes.c_char.in_dll(library, "emu_kernels"))
    entries = {}
    while (entry := _Entry.from_address(address)).name:
        entries[entry.name.decode()] = entry
        address += ctypes.sizeof(_Entry)
    return library, entries


class Parameter(NamedTuple):
    """One parameter of a kernel.

    Attributes:
        kind: "p" pointer, "i" whole number, "f" floating point, "b" bool.
        bytes: of its value.
        restrict: a pointer declared __restrict__.
        const: a pointer to what the kernel only reads.
    """

    kind: str
    bytes: int
    restrict: bool
    const: bool


class Kernel:
    """One kernel of a module.

    Attributes:
        name: in the source.
        parameters: in order.
        signature: kind and bytes of each parameter, as (kind, bytes).
        most_threads: of a block, by __launch_bounds__, or None.
    """

    def __init__(self, name: str, entry: _Entry, declared: str, bound: str, checked: bool) -> None:
        self.name, self._entry, self._checked = name, entry, checked
        text = entry.signature.decode()
        count = len(text) // 2
        words = [re.findall(r"\w+", part) for part in declared.split(",")]
        self.parameters = [
            Parameter(kind.lower(), int(size), "__restrict__" in word, "const" in word)
            for size, kind, word in zip(text[:count], text[count:], words, strict=False)
        ]
        self.signature = [(p.kind, p.bytes) for p in self.parameters]
        self.most_threads = int(bound) if bound else None

    def launch(
        self,
        grid: Sequence[int],
        block: Sequence[int],
        values: Sequence[Any],
        shared: int = 0,
        order: int = 0,
        regions: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Run the whole grid.

        Args:
            grid: blocks along x, y, z.
            block: threads along x, y, z.
            values: ctypes objects, one for each parameter, already of the width that the caller passes.
            shared: bytes of dynamic shared memory.
            order: of threads and blocks: 0 ascending, 1 descending, from 2 on shuffled with that seed.
            regions: begin and end of every device allocation that is alive.

        Raises:
            LaunchError: wrong arguments, limits exceeded, or what the checks found while the kernel ran. The
                arrays are then half written.
        """
        self._check(block, values)
        runtime = _runtime()
        arguments = (ctypes.c_void_p * max(1, len(values)))(*[ctypes.addressof(v) for v in values])
        three = ctypes.c_uint * 3
        with _lock:
            if self._checked:
                array = ctypes.c_size_t * max(1, len(regions))
                begin, end = array(*[r[0] for r in regions]), array(*[r[1] for r in regions])
                runtime.emu_regions(len(regions), begin, end)
            else:
                runtime.emu_regions(-1, None, None)
            code = runtime.emu_launch(
                ctypes.byref(self._entry), three(*grid), three(*block), ctypes.c_size_t(shared),
                ctypes.c_ulong(order), arguments,
            )  # fmt: skip
            if code:
                raise LaunchError(f"{self.name}: {runtime.emu_error().decode()}")

    def _check(self, block: Sequence[int], values: Sequence[Any]) -> None:
        if len(values) != len(self.signature):
            raise LaunchError(f"{self.name} takes {len(self.signature)} arguments, not {len(values)}")
        pointers: dict[int, int] = {}
        for k, (parameter, value) in enumerate(zip(self.parameters, values, strict=True)):
            kind = _KINDS.get(type(value), "?")
            same = kind == parameter.kind or (kind == "i" and parameter.kind == "b")
            if not same or ctypes.sizeof(value) != parameter.bytes:
                raise LaunchError(
                    f"{self.name}: argument {k} is {kind}{ctypes.sizeof(value)}, the kernel takes "
                    f"{parameter.kind}{parameter.bytes} (the card would read the wrong bytes)"
                )
            if kind == "p" and parameter.restrict:
                other = pointers.setdefault(value.value or 0, k)
                if other != k and not (parameter.const and self.parameters[other].const):
                    raise LaunchError(
                        f"{self.name}: arguments {other} and {k} are one pointer, declared __restrict__ twice"
                    )
        if self.most_threads and block[0] * block[1] * block[2] > self.most_threads:
            raise LaunchError(
                f"{self.name}: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES: a block of {tuple(block)} threads, "
                f"compiled for {self.most_threads}"
            )


_KINDS: dict[type, str] = {
    ctypes.c_void_p: "p", ctypes.c_float: "f", ctypes.c_double: "f", ctypes.c_bool: "b",
    **{getattr(ctypes, f"c_{sign}int{bits}"): "i" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}  # fmt: skip


class Module:
    """The kernels of one source.

    Args:
        source: CUDA C as NVRTC would get it.
        checked: every access is checked: bounds, alignment, races, unset shared memory. Slower.

    Raises:
        CompileError: g++ refused the source.
    """

    def __init__(self, source: str, checked: bool = True) -> None:
        self.checked = checked
        self.kernels: dict[str, Kernel] = {}
        prepare([source], checked)
        for piece in pieces(source):
            key = _key(piece, checked)
            _, entries = _library(_folder() / (_folder() / key).read_text())
            for bound, name, declared in _DEFINITION.findall(without_comments(piece)):
                self.kernels[name] = Kernel(name, entries[f"{key}.{name}"], declared, bound, checked)

    def launch(
        self,
        name: str,
        grid: Sequence[int],
        block: Sequence[int],
        values: Sequence[Any],
        shared: int = 0,
        order: int = 0,
        regions: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Run a kernel with packed arguments: see Kernel.launch."""
        self.kernels[name].launch(grid, block, values, shared, order, regions)

    def run(
        self, name: str, grid: Sequence[int], block: Sequence[int], *arguments: Any, **options: Any
    ) -> None:
        """Run a kernel on NumPy arrays, in place.

        Args:
            name: of the kernel.
            grid: up to three numbers of blocks.
            block: up to three numbers of threads.
            *arguments: arrays, passed as pointers to their first element, or NumPy scalars.
            **options: shared and order, as of Kernel.launch.
        """
        values, regions = zip(*[_pack(a) for a in arguments], strict=True) if arguments else ((), ())
        self.launch(
            name, _three(grid), _three(block), values,
            regions=sorted({r for r in regions if r is not None}), **options,
        )  # fmt: skip


def _three(sizes: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = (*sizes, 1, 1)[:3]
    return int(x), int(y), int(z)


_SCALARS: dict[str, type] = {
    "?1": ctypes.c_bool, "f4": ctypes.c_float, "f8": ctypes.c_double,
    **{f"i{n // 8}": getattr(ctypes, f"c_int{n}") for n in (8, 16, 32, 64)},
    **{f"u{n // 8}": getattr(ctypes, f"c_uint{n}") for n in (8, 16, 32, 64)},
}  # fmt: skip


def _pack(argument: Any) -> tuple[Any, tuple[int, int] | None]:
    """A NumPy array as a pointer with the region it owns, or a NumPy scalar as a number."""
    if isinstance(argument, np.ndarray):
        begin, end = np.lib.array_utils.byte_bounds(argument)
        owner = argument
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        begin, end = np.lib.array_utils.byte_bounds(owner)
        return ctypes.c_void_p(argument.ctypes.data), (begin, end)
    value = np.asarray(argument)
    kind = "?" if value.dtype.kind == "b" else value.dtype.kind
    return _SCALARS[f"{kind}{value.dtype.itemsize}"](value.item()), None
