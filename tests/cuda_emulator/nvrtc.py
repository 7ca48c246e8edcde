"""NVIDIA's own compiler, from the wheel `nvidia-cuda-nvrtc` alone: no cupy, no driver, no card.

    for report in compiled([source], ["sm_80"]):
        print(report.kernel, report.registers, report.spilled)

The options are those that cupy passes, so that what is compiled here is what will run there.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import re
import sysconfig
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from adjoint.engines.cpu import store

from . import compiler

ARCHITECTURES = ("sm_75", "sm_80", "sm_90")
# cupy/cuda/compiler.py adds these to every kernel; --ptxas-options=-v makes the assembler tell what it used.
OPTIONS = ("-ftz=true", "--device-as-default-execution-space")
BATCH = 24  # sources per program


class CompileError(Exception):
    """NVRTC refused a source; the text is its log."""


@dataclass(frozen=True)
class Report:
    """What one kernel takes on one architecture.

    Attributes:
        kernel: its name.
        architecture: such as "sm_80".
        registers: per thread.
        stack: bytes per thread, local arrays included.
        spilled: bytes per thread of registers stored to memory for want of room.
        shared: bytes of static shared memory per block.
    """

    kernel: str
    architecture: str
    registers: int = 0
    stack: int = 0
    spilled: int = 0
    shared: int = 0


# ---------------------------------------------------------------- the library
def _path() -> Path | None:
    for name in ("purelib", "platlib"):
        folder = Path(sysconfig.get_paths()[name]) / "nvidia"
        found = [*folder.glob("cu1*/lib/libnvrtc.so.1?"), *folder.glob("cuda_nvrtc/lib/libnvrtc.so.1?")]
        if found:
            return found[0]
    return None


@functools.cache
def missing() -> str | None:
    """What keeps NVRTC from running here, or None."""
    if _path() is None:
        return "NVRTC is not installed: pip install nvidia-cuda-nvrtc"
    try:
        _library()
    except OSError as error:
        return f"NVRTC cannot be loaded: {error}"
    return None


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(_path()))
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    return library


@functools.cache
def version() -> tuple[int, int]:
    """Of NVRTC: (13, 5)."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def compile_program(source: str, architecture: str, options: Sequence[str] = OPTIONS) -> str:
    """Compile one program down to machine code.

    Args:
        source: CUDA C.
        architecture: such as "sm_80".
        options: besides the architecture.

    Returns:
        The log, with the assembler's account of each kernel.

    Raises:
        CompileError: with the log.
    """
    return _compiled_program(source, architecture, options)[0]


def ptx(sources: Sequence[str], architecture: str, options: Sequence[str] = OPTIONS) -> list[str]:
    """The instructions of each source's first kernel, before the assembler; all compiled in one program.

    Raises:
        CompileError: with the log.
    """
    text, names = compiler.joined(sources)
    _, *kernels = _compiled_program(text, architecture, options)[1].split(".entry ")
    found = {kernel.partition("(")[0]: kernel for kernel in kernels}
    return [found[next(iter(renamed.values()))] for renamed in names]


def _compiled_program(source: str, architecture: str, options: Sequence[str]) -> tuple[str, str]:
    """Log and PTX of one program."""
    library, program = _library(), ctypes.c_void_p()
    given = [f"-arch={architecture}", "--ptxas-options=-v", *options]
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    try:
        array = (ctypes.c_char_p * len(given))(*[option.encode() for option in given])
        code = library.nvrtcCompileProgram(program, len(given), array)
        log = _text(program, "ProgramLog")
        if code:
            raise CompileError(f"{architecture}: {library.nvrtcGetErrorString(code).decode()}\n{log}")
        return log, _text(program, "PTX")
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _text(program: ctypes.c_void_p, what: str) -> str:
    """What NVRTC has of a program."""
    size = ctypes.c_size_t()
    getattr(_library(), f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(_library(), f"nvrtcGet{what}")(program, text)
    return text.value.decode(errors="replace")


# ---------------------------------------------------------------- reports
_OF_KERNEL = re.compile(r"(?:Compiling entry function|Function properties for) '?([\w$]+)'?")
_FIGURES = {
    "registers": re.compile(r"Used (\d+) registers"),
    "stack": re.compile(r"(\d+) bytes stack frame"),
    "spilled": re.compile(r"(\d+) bytes spill stores"),
    "shared": re.compile(r"(\d+) bytes smem"),
}


def reports(log: str, architecture: str) -> list[Report]:
    """Read the assembler's account of each kernel."""
    figures: dict[str, dict[str, int]] = {}
    kernel = ""
    for line in log.splitlines():
        if found := _OF_KERNEL.search(line):
            kernel = found[1]
        for name, pattern in _FIGURES.items():
            if kernel and (found := pattern.search(line)):
                figures.setdefault(kernel, {})[name] = int(found[1])
    return [Report(name, architecture, **of) for name, of in figures.items()]


def compiled(
    sources: Iterable[str],
    architectures: Iterable[str] = ARCHITECTURES,
    options: Sequence[str] = OPTIONS,
    processes: int = 2,
) -> list[Report]:
    """Compile sources for several architectures, many in one program; what was compiled before is remembered.

    Args:
        sources: CUDA C, each complete.
        architectures: names as "sm_80".
        options: of NVRTC besides the architecture.
        processes: programs compiled at the same time.

    Returns:
        One report per kernel and architecture.

    Raises:
        CompileError: the log for the first source that is refused, alone.
    """
    ordered = list(dict.fromkeys(sources))
    done: dict[tuple[str, str], list[Report]] = {}
    jobs: list[tuple[str, list[str]]] = []
    for architecture in architectures:
        new = []
        for source in ordered:
            kept = _remembered(source, architecture, options)
            if kept is None:
                new.append(source)
            else:
                done[source, architecture] = kept
        jobs += [(architecture, new[k : k + BATCH]) for k in range(0, len(new), BATCH)]

    def build(job: tuple[str, list[str]]) -> None:
        architecture, batch = job
        try:
            text, names = compiler.joined(batch)
            log = compile_program(text, architecture, options)
        except CompileError:
            if len(batch) == 1:
                raise
            for source in batch:
                build((architecture, [source]))
            return
        found = {report.kernel: report for report in reports(log, architecture)}
        for source, renamed in zip(batch, names, strict=True):
            own = [replace(found[new], kernel=name) for name, new in renamed.items()]
            done[source, architecture] = own
            _remember(source, architecture, options, own)

    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(build, jobs))
    return [r for architecture in architectures for source in ordered for r in done[source, architecture]]


def _note(source: str, architecture: str, options: Sequence[str]) -> Path:
    key = hashlib.sha256("\0".join([str(version()), architecture, *options, source]).encode()).hexdigest()[
        :24
    ]
    return compiler.cache_directory() / "nvrtc" / f"{key}.json"


def _remembered(source: str, architecture: str, options: Sequence[str]) -> list[Report] | None:
    path = _note(source, architecture, options)
    return [Report(**fields) for fields in json.loads(path.read_text())] if path.exists() else None


def _remember(source: str, architecture: str, options: Sequence[str], found: list[Report]) -> None:
    text = json.dumps([asdict(report) for report in found])
    store.write(_note(source, architecture, options), text.encode())
