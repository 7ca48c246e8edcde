"""The layout program: the system's `dot` where there is one, else `graphviz-pure` from its wheel.

Both read the dot language and write SVG and PNG; only the system's writes PDF (see `pdf.py` for the other).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig

from ..errors import AdjointError, format_error

SECONDS = 120  # after which a layout is given up; it can run away on large graphs


class LayoutError(AdjointError, RuntimeError):
    """There is no layout program, or it failed."""


def system_dot() -> str | None:
    """The path of the system's Graphviz."""
    return shutil.which("dot")


def pure_dot() -> str | None:
    """The path of the program that the wheel graphviz-pure installs, beside this Python or on the path."""
    name = "graphviz-pure" + (".exe" if sys.platform == "win32" else "")
    folders = [sysconfig.get_path("scripts"), os.path.dirname(sys.executable)]
    beside = (os.path.join(folder, name) for folder in folders)
    return next((path for path in beside if os.access(path, os.X_OK)), None) or shutil.which(name)


def laid_out(text: str, form: str, *, dpi: float | None = None) -> bytes:
    """The picture of a text in the dot language.

    Args:
        text: in the dot language.
        form: "svg", "png", or "pdf" (the system's dot alone).
        dpi: pixels per inch of a PNG.

    Raises:
        LayoutError: no program, or it failed; the wheel's is given two minutes.
    """
    if dpi is not None:
        text = text.replace("digraph adjoint {", f"digraph adjoint {{\n  dpi={dpi:g}", 1)
    system = system_dot()
    if system is not None:
        return _by_package(text, form)
    pure = pure_dot()
    if pure is None:
        raise LayoutError(missing())
    return _by_program([pure, f"-T{form}"], text)


def missing() -> str:
    """The error when there is no layout program; it names both remedies."""
    remedy = (
        "Install the wheel, `pip install graphviz-pure`, or the system's Graphviz "
        "(`apt install graphviz`, `brew install graphviz`).\n"
        "  Without either, .html(), .text(), .json(), .mermaid() and .dot() work."
    )
    return format_error(
        "no layout program: neither `dot` on the path nor graphviz-pure in this Python", remedy=remedy
    )


def _by_package(text: str, form: str) -> bytes:
    import graphviz

    try:
        picture: bytes = graphviz.Source(text, engine="dot").pipe(format=form, quiet=True)
    except (graphviz.CalledProcessError, graphviz.ExecutableNotFound) as error:
        raise LayoutError(_failed("dot", str(error))) from None
    return picture


def _by_program(command: list[str], text: str) -> bytes:
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise LayoutError(_failed(os.path.basename(command[0]), f"no layout after {SECONDS} s")) from None
    if done.returncode or not done.stdout:
        raise LayoutError(_failed(os.path.basename(command[0]), done.stderr.decode(errors="replace")))
    return done.stdout


def _failed(program: str, why: str) -> str:
    lines = [line for line in why.strip().splitlines() if "no value for width" not in line]
    remedy = "Draw fewer boxes, `ad.draw(x, limit=60)`, or take .text(), .mermaid() or .json()."
    return format_error(f"{program} could not lay this graph out: {' '.join(lines)[-300:]}", remedy=remedy)
