"""`python -m adjoint check`: the library's rules on this machine, or a function of the user's.

Exit codes: 0 when everything passed, 1 when something did not, 2 when it was not asked properly.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import INTERNAL, AdjointError, UnknownNameError, describe
from ..ops.primitive import PRIMITIVES, Primitive
from ..sweeps.pairing import default_rng
from ..targets import load
from .compiled import checked_names, on_engine
from .gradients import gradients
from .multipliers import multipliers
from .pair import pair
from .report import Report
from .rules import rule

EXAMPLES = """
  python -m adjoint check                                     every rule of the library, on every engine
  python -m adjoint check tanh matmul                         some of them
  python -m adjoint check model:loss --args model:make_args   a function of yours: its derivatives
  python -m adjoint check model:loss --args model:make_args --gradient model:by_hand
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command on what follows `check`; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m adjoint check",
        description="Check the library's rules on this machine, or the derivatives of a function of yours.",
        epilog=f"examples:{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("name", nargs="*", help="names of primitives (default: all), or one module:function")
    add(
        "--args",
        metavar="MODULE:NAME",
        help="where to check: a tuple of arguments, or a function that makes it",
    )
    add("--gradient", metavar="MODULE:NAME", help="a gradient written by hand (default: the library's)")
    add("--argnum", type=int, help="which argument is differentiated (default: all that hold floats)")
    add("--order", type=int, choices=(1, 2), help="2: second derivatives too (default without --gradient)")
    add(
        "--multipliers",
        action="store_true",
        help="inject a residual at every node, and name the first wrong one",
    )
    add("--seed", type=int, help="of the random directions, and of --args where it takes a generator")
    add(
        "--engine", choices=("numpy", "numba"), help="of the library's rules (default: all that can run here)"
    )
    options = parser.parse_args(arguments)
    targets = [name for name in options.name if ":" in name]
    try:
        if not targets:
            for flag in ("args", "gradient", "argnum", "order", "multipliers"):
                if getattr(options, flag) not in (None, False):
                    raise UnknownNameError(f"--{flag} is for a function, module:function; none is given")
            return run_rules(options.name, options.seed, options.engine)
        if len(options.name) > 1:
            raise UnknownNameError(f"one function at a time, got {', '.join(options.name)}")
        if options.engine is not None:
            raise UnknownNameError("--engine is for the library's rules; a function is checked on NumPy")
        for flag in ("gradient", "order"):
            if options.multipliers and getattr(options, flag) is not None:
                raise UnknownNameError(f"--multipliers checks the program's own; it takes no --{flag}")
        return run_function(options)
    except UnknownNameError as error:
        print(f"check: {error}", file=sys.stderr)
        return 2


# ---------------------------------------------------------------------------------------- a function
def run_function(options: argparse.Namespace) -> int:
    """Check a function of the user's and print the report."""
    f = _function(options.name[0])
    if options.args is None:
        raise UnknownNameError(
            f"{options.name[0]} is checked at some point: give --args module:name, a tuple of its "
            "arguments or a function that makes it"
        )
    by_hand = _function(options.gradient, "--gradient") if options.gradient else None
    rng = np.random.default_rng(options.seed) if options.seed is not None else None
    given: dict[str, Any] = {"rng": rng}
    if options.argnum is not None:
        given["argnum"] = options.argnum
    args = _arguments(options.args, np.random.default_rng(options.seed or 0))
    try:
        with np.errstate(all="ignore"):
            report = _report(f, by_hand, args, options, given)
    except Exception as error:  # the user's function may raise anything
        said = f"raised {_where(error)}" if _is_theirs(error) else f"could not be checked: {error}"
        print(f"check: {options.name[0]} {said}", file=sys.stderr)
        return 1
    show(report)
    if not report and options.seed is None:
        print("other directions: --seed N")
    return 0 if report else 1


def _report(
    f: Callable[..., Any], by_hand: Any, args: Any, options: argparse.Namespace, given: dict[str, Any]
) -> Report:
    if options.multipliers:
        return multipliers(f, args, **given)
    if options.order is not None:
        given["order"] = options.order
    return pair(f, by_hand, args, **given) if by_hand is not None else gradients(f, args, **given)


def _function(target: str, what: str = "") -> Callable[..., Any]:
    found = load(target, what)
    if not callable(found):
        raise UnknownNameError(f"{what} {target} is no function but {describe(found)}".lstrip())
    return found


def _arguments(target: str, rng: np.random.Generator) -> Any:
    """The arguments: made by a function, of a generator if it must have one, or there as a tuple."""
    found = load(target, "--args")
    if callable(found):
        try:
            needed = [p for p in inspect.signature(found).parameters.values() if _is_needed(p)]
            found = found(rng) if needed else found()
        except Exception as error:
            raise UnknownNameError(f"--args {target} raised {_where(error)}") from error
    if not isinstance(found, (tuple, list)):
        raise UnknownNameError(
            f"--args {target} must give a tuple of the function's arguments, (x,) for one, not "
            f"{describe(found)}"
        )
    return tuple(found)


def _is_needed(p: inspect.Parameter) -> bool:
    return p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)


def _frames(error: Exception) -> list[traceback.FrameSummary]:
    """The user's lines that led to an error."""
    return [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(INTERNAL)]


def _is_theirs(error: Exception) -> bool:
    return bool(_frames(error)) and not isinstance(
        error, AdjointError
    )  # ours name the user's line themselves


def _where(error: Exception) -> str:
    """The error with the last line of the user's that led to it."""
    frames = _frames(error)
    at = f" at {frames[-1].filename}:{frames[-1].lineno}:  {frames[-1].line}" if frames else ""
    return f"{type(error).__name__}: {error}{at}"


def show(report: Report) -> None:
    """A report, in color where the terminal has it."""
    from rich.console import Console
    from rich.text import Text

    text = Text(repr(report))
    text.highlight_regex(r"(?m)^  ok  ", "green")
    text.highlight_regex(r"(?m)^  FAIL  |FAILED", "bold red")
    text.highlight_regex(r"passed$|(?<=: )passed", "green")
    text.highlight_regex(r"received \S+|expected [-+\d][^;\s]*", "bold")
    Console().print(text, soft_wrap=True)


# ---------------------------------------------------------------------------------------- all rules
@dataclass
class Tally:
    """The checks of one module's primitives.

    Attributes:
        failed: engine → names of the primitives that failed there.
    """

    primitives: int = 0
    checks: int = 0
    seconds: float = 0.0
    failed: dict[str, list[str]] = field(default_factory=dict)


def available() -> list[str]:
    """The engines that can run here."""
    from ..engines.cpu import cache

    return ["numpy"] if cache.unavailable() else ["numpy", "numba"]


def run_rules(names: Sequence[str], seed: int | None, engine: str | None) -> int:
    """Check the rules of primitives and print a table; 0 when all pass."""
    from rich.console import Console
    from rich.progress import Progress

    unknown = [n for n in names if n not in PRIMITIVES]
    if unknown:
        near = [m for n in unknown for m in difflib.get_close_matches(n, PRIMITIVES, n=2)]
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(PRIMITIVES))}"
        raise UnknownNameError(f"no primitive {', '.join(unknown)}; {hint}")
    engines = available() if engine is None else [engine]
    if engine is not None and engine not in available():
        raise UnknownNameError(f"the engine {engine} cannot run here; python -m adjoint doctor says why")
    ops = [PRIMITIVES[name] for name in names or checked_names()]
    tallies: dict[str, Tally] = {}
    console = Console()
    with Progress(console=console, transient=True) as progress:
        for where in engines:
            task = progress.add_task(where, total=len(ops))
            begun = time.perf_counter()
            for op, report in _reports(ops, where, seed):
                tally = tallies.setdefault(module_of(op), Tally())
                tally.primitives += where == engines[0]
                tally.checks += len(report.findings)
                tally.seconds, begun = tally.seconds + time.perf_counter() - begun, time.perf_counter()
                if not report:
                    tally.failed.setdefault(where, []).append(op.name)
                    progress.console.print(repr(report), highlight=False, markup=False, soft_wrap=True)
                progress.update(task, description=f"{where}: {op.name:<20}", advance=1)
    _summary(console, tallies, engines)
    return 1 if any(t.failed for t in tallies.values()) else 0


def _reports(ops: Sequence[Primitive], engine: str, seed: int | None) -> Iterator[tuple[Primitive, Report]]:
    def rng() -> np.random.Generator:
        return default_rng() if seed is None else np.random.default_rng(seed)

    if engine == "numpy":
        return ((op, rule(op, rng=rng())) for op in ops)
    return on_engine(ops, engine, rng())


def module_of(op: Primitive) -> str:
    """The module that a primitive's class stands in, `linalg`."""
    return type(op).__module__.rpartition(".")[2]


def _summary(console: Any, tallies: dict[str, Tally], engines: Sequence[str]) -> None:
    from rich import box
    from rich.table import Table

    table = Table("module", "primitives", "checks", "seconds", *engines, box=box.SIMPLE_HEAD)
    for column in table.columns[1:4]:
        column.justify = "right"
    for name, t in tallies.items():
        verdicts = [
            f"[red]FAILED: {', '.join(t.failed[e])}" if e in t.failed else "[green]ok" for e in engines
        ]
        table.add_row(name, str(t.primitives), str(t.checks), f"{t.seconds:.1f}", *verdicts)
    console.print(table)
    total = sum(t.primitives for t in tallies.values())
    failed = len({name for t in tallies.values() for names in t.failed.values() for name in names})
    checks = sum(t.checks for t in tallies.values())
    on = " and ".join(engines)
    console.print(f"{total - failed} of {total} primitives pass on {on} ({checks} checks)", highlight=False)
