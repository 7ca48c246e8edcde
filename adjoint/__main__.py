"""The command line: `python -m adjoint demo`, `check`, `cache`, `draw`, `align`, `doctor`."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import platform
import sys
import warnings
from collections.abc import Sequence

from ._version import __version__
from .demos import DEMOS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m adjoint", description="Programs as tapes of constraints, with their multipliers."
    )
    parser.add_argument("--version", action="version", version=f"adjoint {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser(
        "demo", help="train on real digits, then read multipliers, certificate and Lagrangian"
    )
    demo.add_argument(
        "name", nargs="?", default="all", choices=[*DEMOS, "all"], help="which demonstration (default: all)"
    )
    demo.add_argument("--seed", type=int, default=0, help="seed of every random number (default: 0)")
    commands.add_parser("check", help="check the library's rules on this machine, or a function of yours")
    cache = commands.add_parser("cache", help="compiled kernels on disk: where, how many, how large")
    cache.add_argument("action", nargs="?", default="show", choices=("show", "clear"), help="(default: show)")
    draw = commands.add_parser("draw", help="draw the computation graph that a function of yours records")
    draw.add_argument("target", help="module:function; the function takes nothing and returns what to draw")
    draw.add_argument(
        "-o", "--output", help="file, by suffix .svg .html .png .pdf .dot .mmd .json .txt (default: text)"
    )
    draw.add_argument("--limit", type=int, default=150, help="boxes at most (default: 150)")
    draw.add_argument("--right", action="store_true", help="from left to right instead of downwards")
    draw.add_argument("--adjoint", action="store_true", help="mirror the adjoint sweep beside the program")
    commands.add_parser(
        "align", help="scores of responses → multipliers of alignment constraints, trainers' files"
    )
    doctor = commands.add_parser(
        "doctor", help="versions, what is installed, which engines can run and why not"
    )
    doctor.add_argument(
        "--gpu", action="store_true", help="run the GPU engine's self-test here, with a report to send"
    )
    given = list(sys.argv[1:] if arguments is None else arguments)
    # these have parsers of their own, which are not loaded for the other commands
    if given[:1] == ["align"]:
        from .models.alignment.command import main as align

        return align(given[1:])
    if given[:1] == ["check"]:
        from .check.command import main as check

        return check(given[1:])
    options = parser.parse_args(given)
    if options.command == "demo":
        return run_demos(DEMOS if options.name == "all" else (options.name,), options.seed)
    if options.command == "cache":
        return run_cache(options.action)
    if options.command == "draw":
        direction = "right" if options.right else "down"
        return run_draw(options.target, options.output, options.limit, direction, options.adjoint)
    return run_selftest() if options.gpu else run_doctor()


def run_selftest() -> int:
    """Run the GPU engine's self-test; 0 when every program gave what it should, 2 when there is no GPU."""
    from .errors import DeviceError, MissingPackageError
    from .selftest import gpu_selftest

    try:
        report = gpu_selftest()
    except (DeviceError, MissingPackageError) as error:
        print(error, file=sys.stderr)
        return 2
    print(report)
    return 0 if report.ok else 1


def run_demos(names: Sequence[str], seed: int) -> int:
    """Run demonstrations; 0 when each one's check holds."""
    from rich.console import Console

    console = Console()
    results = []
    for name in names:
        console.rule(name)
        results.append(importlib.import_module(f".demos.{name}", __package__).run(console, seed))
    return 0 if all(results) else 1


def run_cache(action: str) -> int:
    """Show or empty the directory of compiled kernels; 1 when kernels cannot be kept there."""
    from rich.console import Console

    from .engines.cpu import cache, store

    console = Console()
    directory = store.wanted()
    objection = store.objection(directory)
    if action == "clear" and not objection:
        files, size = cache.clear()
        done = "removed"
    else:
        files, size = store.usage(directory)
        done = "in"
    line = f"{files} files, {size / 1e6:.1f} MB {done} {directory}"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    if objection:
        console.print(f"not used: {objection}", highlight=False, markup=False, soft_wrap=True)
    return 1 if objection else 0


def run_draw(target: str, output: str | None, limit: int, direction: str, adjoint: bool) -> int:
    """Draw what `module:function` returns, to a file or as text; 2 when there is no such function."""
    from .errors import AdjointError, UnknownNameError
    from .render import draw
    from .targets import load

    try:
        subject = load(target, "draw")
    except UnknownNameError as error:
        print(error, file=sys.stderr)
        return 2
    if inspect.isfunction(subject):
        try:
            inspect.signature(subject).bind()
        except TypeError as error:
            what = f"draw {target}: {error}: name a function that takes nothing and returns what to draw,"
            print(f"{what} such as ad.Lagrangian(tape, loss)", file=sys.stderr)
            return 2
        subject = subject()  # it may import its neighbours
    try:
        picture = draw(subject, limit=limit, direction=direction, adjoint=adjoint)
        if output is None:
            print(picture.text())
        else:
            picture.save(output)
            print(f"{output}: {picture.caption}")
    except (AdjointError, TypeError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


PACKAGES = (
    ("numpy", "arrays"), ("scipy", "special functions, triangular solves"), ("rich", "this command line"),
    ("numba", "kernels of the CPU engine"), ("graphviz", "drawings"),
    ("graphviz_pure", "layout without a system `dot`"), ("pyarrow", "scores in Parquet: align"),
)  # fmt: skip


def run_doctor() -> int:
    """Print versions and engines; 0 when what the library needs is there."""
    from importlib.metadata import PackageNotFoundError, version

    from rich.console import Console
    from rich.markup import escape  # the brackets of 'adjoint-autodiff[gpu]' are none of rich's
    from rich.table import Table

    from .engines.gpu.condition import condition, wheels

    console = Console()
    table = Table(
        "package",
        "version",
        "for",
        title=f"adjoint {__version__} on Python {platform.python_version()}, {sys.platform}",
    )
    missing = []
    for name, purpose in PACKAGES:
        try:
            found = version(name.replace("_", "-"))
        except PackageNotFoundError:
            found = "not installed"
            if name in ("numpy", "scipy", "rich"):
                missing.append(name)
        table.add_row(name, found, purpose)
    for name, found in wheels() or [("cupy", "not installed")]:
        table.add_row(name, found, "the GPU engine")
    console.print(table)
    engines = Table("engine", "state")
    engines.add_row(
        "numpy", f"ready, {os.cpu_count()} processors" if not missing else f"needs {', '.join(missing)}"
    )
    engines.add_row("numba", escape(_numba_state()))
    engines.add_row("cupy", escape(condition()))
    console.print(engines)
    return 1 if missing else 0


def _numba_state() -> str:
    """The engine of compiled programs in words."""
    from .engines.cpu import cache, store, threads

    reason = cache.unavailable()
    if reason:
        return f"{reason}: ad.compile raises, all else runs eagerly on NumPy"
    with warnings.catch_warnings(action="ignore"):  # said in the line below
        directory, refusal = store.location()
    kept = f"for this process only: {refusal}" if refusal else f"in {directory}"
    return f"ready, {threads.get_num_threads()} threads of its own; kernels kept {kept}"


if __name__ == "__main__":
    sys.exit(main())
