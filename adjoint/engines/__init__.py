"""How a tape runs: traced once, planned, emitted as kernels, replayed by one call.

In the order in which a program passes through them: `graph` is what is computed, which `building` makes of a
trace by the rules in `rewriting`; `placing` puts its nodes into `regions` and other groups; `chains` and
`plan` say what runs together, and when; `chunks` in which parts, and `memory` where values live; `spec` puts
a kernel in words, `loops` puts these in order, `text` writes its rows. From there on a target goes its own
way: `cpu/steps` and `gpu/steps` make a plan into kernels and what they are run on. `executable` is one
program, `compiled` the function with all of its programs, `explain` what it says of itself.

Importing this is cheap: the engine is loaded when something is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import describe

if TYPE_CHECKING:
    from .compiled import Compiled
    from .executable import Executable
    from .explain import Explanation, Report

__all__ = ["Compiled", "Explanation", "Report", "compile", "get_num_threads", "set_num_threads"]


def compile(
    f: Callable[..., Any],
    *,
    engine: str = "numba",
    donate: int | Sequence[int] = (),
    wait: bool = True,
    callback: Callable[[str], None] | None = None,
    deterministic: bool = True,
    graphs: bool = False,
) -> Compiled:
    """A function that computes what f computes, by native kernels.

    f is traced with the shapes and dtypes of its arguments, once for each kind; any composition of transforms
    may be inside. Arrays and Python floats may change from call to call; ints, booleans, strings and other
    objects are part of the program, and another value is another program. Arrays that f takes from its
    surroundings are constants.

    Args:
        f: plain NumPy code, the functions of this library, transforms.
        engine: "numba": kernels for this machine's processor; "cupy": for a GPU, where arguments and results
            are arrays of cupy.
        donate: positions of arguments whose arrays the results may take over: results of the same shape and
            dtype are written into them, and they must not be used again (`params = step(params, x)`). No
            view of them may be another argument; a GPU's are copied then, and not written.
        wait: block while kernels are compiled; otherwise f itself answers meanwhile.
        callback: called with one line of text whenever a program has been compiled.
        deterministic: let additions into places that indices name run in their order, so that two calls give
            the same bits; False lets a GPU add as it comes, which may be faster. The CPU's always do.
        graphs: on a GPU, record what a call launches as CUDA graphs when arrays come at the same addresses
            again (those of `donate` do), and launch these; what cannot be recorded runs between them.

    Returns:
        The compiled function: same arguments, same containers of results, in arrays of the caller's own.

    Raises:
        TraceError: f asks for a value while it is traced (a branch, a conversion), or draws random numbers.
        MissingPackageError: engine="cupy" without cupy.
        DeviceError: there is no GPU, or its driver, its memory or its compiler refuses. Calls raise it too,
            and for arrays that are not on the current device.

    >>> import numpy as np
    >>> step = compile(lambda x: np.sum(np.sqrt(x) ** 2))
    >>> step(np.array([0.0, 4.0]))
    np.float64(4.0)
    """
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}: there are {', '.join(map(repr, ENGINES))}")
    if not callable(f):
        raise TypeError(f"compile needs a function, got {describe(f)}: write ad.compile(f)(x)")
    from .compiled import Compiled, Options

    positions = (donate,) if isinstance(donate, int) else tuple(donate)
    if not all(isinstance(k, int) for k in positions):
        raise TypeError(f"donate holds positions of arguments, 0 for the first; got {donate!r}")
    return Compiled(f, Options(_target(engine), positions, wait, callback, deterministic, graphs))


ENGINES = ("numba", "cupy")


def _target(engine: str) -> type[Executable]:
    """The programs of an engine."""
    if engine == "numba":
        from .cpu.executable import CPU

        return CPU
    from .gpu.device import usable
    from .gpu.executable import GPU

    usable()
    return GPU


def set_num_threads(n: int) -> None:
    """Let large steps of compiled programs use n threads, the calling one included; 1 is serial.

    Args:
        n: 1 … 256. More than there are processors gains nothing; results do not depend on it.

    Raises:
        ValueError: n is out of range.
    """
    from .cpu import threads

    threads.set_num_threads(n)


def get_num_threads() -> int:
    """Threads that large steps may use; unless set, the processors this process may run on."""
    from .cpu import threads

    return threads.get_num_threads()


def __getattr__(name: str) -> Any:
    """The engine's classes, imported when first used."""
    home = {"Compiled": "compiled", "Explanation": "explain", "Report": "explain"}.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)
