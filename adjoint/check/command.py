"""`python -m adjoint check`: the library's rules on this machine, or a function of the user's.

Exit codes: 0 when everything passed, 1 when something did not, 2 when it was not asked properly.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import INTERNAL, AdjointError, UnknownNameError, describe
from ..ops.primitive import PRIMITIVES, Primitive
from ..targets import load
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
    options = parser.parse_args(arguments)
    targets = [name for name in options.name if ":" in name]
    try:
        if not targets:
            for flag in ("args", "gradient", "argnum", "order"):
                if getattr(options, flag) is not None:
                    raise UnknownNameError(f"--{flag} is for a function, module:function; none is given")
            return run_rules(options.name, options.seed)
        if len(options.name) > 1:
            raise UnknownNameError(f"one function at a time, got {', '.join(options.name)}")
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
    """The arguments: made by a function, of a generator if it takes one, or there as a tuple."""
    found = load(target, "--args")
    if callable(found):
        try:
            found = found(rng) if inspect.signature(found).parameters else found()
        except Exception as error:
            raise UnknownNameError(f"--args {target} raised {_where(error)}") from error
    if not isinstance(found, (tuple, list)):
        raise UnknownNameError(
            f"--args {target} must give a tuple of the function's arguments, (x,) for one, not "
            f"{describe(found)}"
        )
    return tuple(found)


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
    """The checks of one module's primitives."""

    primitives: int = 0
    checks: int = 0
    seconds: float = 0.0
    failed: list[str] = field(default_factory=list)


def run_rules(names: Sequence[str], seed: int | None) -> int:
    """Check the rules of primitives and print a table; 0 when all pass."""
    from rich.console import Console
    from rich.progress import Progress

    unknown = [n for n in names if n not in PRIMITIVES]
    if unknown:
        import difflib

        near = [m for n in unknown for m in difflib.get_close_matches(n, PRIMITIVES, n=2)]
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(PRIMITIVES))}"
        raise UnknownNameError(f"no primitive {', '.join(unknown)}; {hint}")
    chosen = list(names) or [n for n, op in PRIMITIVES.items() if n != "item" and not op.foreign]
    tallies: dict[str, Tally] = {}
    console = Console()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("rules", total=len(chosen))
        for name in chosen:
            progress.update(task, description=f"{name:<20}")
            begun = time.perf_counter()
            report = rule(name, rng=None if seed is None else np.random.default_rng(seed))
            tally = tallies.setdefault(module_of(PRIMITIVES[name]), Tally())
            tally.primitives += 1
            tally.checks += len(report.findings)
            tally.seconds += time.perf_counter() - begun
            if not report:
                tally.failed.append(name)
                progress.console.print(repr(report), highlight=False, markup=False, soft_wrap=True)
            progress.advance(task)
    _summary(console, tallies)
    return 1 if any(t.failed for t in tallies.values()) else 0


def module_of(op: Primitive) -> str:
    """The module that a primitive's class stands in, `linalg`."""
    return type(op).__module__.rpartition(".")[2]


def _summary(console: Any, tallies: dict[str, Tally]) -> None:
    from rich import box
    from rich.table import Table

    table = Table("module", "primitives", "checks", "seconds", "result", box=box.SIMPLE_HEAD)
    for column in table.columns[1:4]:
        column.justify = "right"
    for name, t in tallies.items():
        verdict = f"[red]FAILED: {', '.join(t.failed)}" if t.failed else "[green]ok"
        table.add_row(name, str(t.primitives), str(t.checks), f"{t.seconds:.1f}", verdict)
    console.print(table)
    total = sum(t.primitives for t in tallies.values())
    failed = sum(len(t.failed) for t in tallies.values())
    checks = sum(t.checks for t in tallies.values())
    console.print(f"{total - failed} of {total} primitives pass ({checks} checks)", highlight=False)
