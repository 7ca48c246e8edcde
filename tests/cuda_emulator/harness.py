"""CUDA C, compiled by g++ and run on the host: one fiber per thread, every access checked.

    module = Module(source)
    module.run("scale", (4,), (128,), x, y, np.int64(x.size), np.float32(2.0))

`prepare` compiles many sources ahead. Runs on x86-64 Linux with g++ 11 or later; `missing()` says what lacks.
"""

from __future__ import annotations

import ctypes
import functools
import re
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import compiler
from .compiler import CompileError, missing, prepare

__all__ = ["ORDERS", "CompileError", "Kernel", "LaunchError", "Module", "missing", "prepare"]
ORDERS = (0, 1, 2)  # of threads and blocks: ascending, descending, shuffled
_lock = threading.RLock()


class LaunchError(RuntimeError):
    """A launch that the driver would refuse, or that did what no kernel may do."""


class _Entry(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("signature", ctypes.c_char_p), ("call", ctypes.c_void_p))


class _Library:
    """A loaded batch: its kernels, and the source line of an instruction."""

    def __init__(self, path: Path) -> None:
        runtime = compiler.runtime()  # before what needs it
        self.path, self._handle = path, ctypes.CDLL(str(path))
        bounds = (ctypes.c_void_p * 2).in_dll(self._handle, "emu_image_bounds")
        self._begin, self._end = bounds[0] or 0, bounds[1] or 0
        runtime.emu_image(ctypes.c_void_p(self._begin), ctypes.c_void_p(self._end))
        self.entries: dict[str, _Entry] = {}
        address = ctypes.addressof(ctypes.c_char.in_dll(self._handle, "emu_kernels"))
        while (entry := _Entry.from_address(address)).name:
            self.entries[entry.name.decode()] = entry
            address += ctypes.sizeof(_Entry)

    def line(self, address: int) -> str | None:
        """File and line of what a call returns to, as "kernel.cu:12"."""
        if not self._begin <= address < self._end:
            return None
        command = ["addr2line", "-s", "-e", str(self.path), hex(address - 1 - self._begin)]
        try:
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return None
        return text.split()[0] if text.strip() and "?" not in text else None


_library = functools.cache(_Library)


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

    def __init__(self, name: str, source: str, key: str, checked: bool) -> None:
        self.name, self._source, self._checked = name, source, checked
        path = compiler.library_of(key)
        assert path is not None, "the module has been compiled"
        self._library = _library(path)
        self._entry = self._library.entries[f"{key}.{name}"]
        bound, declared = compiler.definitions(source)[name]
        text = self._entry.signature.decode()
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
        runtime = compiler.runtime()
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
                raise LaunchError(f"{self.name}: {runtime.emu_error().decode()}{self._place()}")

    def _place(self) -> str:
        """Where the access stands that was refused, with the text of the line."""
        found = self._library.line(compiler.runtime().emu_culprit() or 0)
        if not found:
            return ""
        file, number = found.split(":")
        text = compiler.prelude() if file == "device.cuh" else compiler.own_text(self._source)
        lines = text.splitlines() if file.endswith((".cu", ".cuh")) else []
        shown = f":  {lines[int(number) - 1].strip()}" if 0 < int(number) <= len(lines) else ""
        return f"\n  at {found}{shown}"

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
        for piece in compiler.pieces(source):
            key = compiler.key_of(piece, checked)
            for name in compiler.definitions(piece):
                self.kernels[name] = Kernel(name, piece, key, checked)

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
        values, regions = zip(*[pack(a) for a in arguments], strict=True) if arguments else ((), ())
        known = sorted({r for r in regions if r is not None})
        self.kernels[name].launch(_three(grid), _three(block), values, regions=known, **options)


def _three(sizes: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = (*sizes, 1, 1)[:3]
    return int(x), int(y), int(z)


def pack(argument: Any) -> tuple[Any, tuple[int, int] | None]:
    """A NumPy array as a pointer with the region it owns, or a NumPy scalar as a number."""
    if isinstance(argument, np.ndarray):
        owner = argument
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        return ctypes.c_void_p(argument.ctypes.data), np.lib.array_utils.byte_bounds(owner)
    value = np.asarray(argument)
    return np.ctypeslib.as_ctypes_type(value.dtype)(value.item()), None
