"""`Picture`: a drawing in every format."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import UnknownNameError
from ..garbage import without_collections
from . import plain
from .dot import dot
from .graph import Graph, View
from .layout import LayoutError, laid_out, system_dot
from .page import html
from .pdf import pdf_of
from .svg import finished

FORMATS = ("svg", "html", "png", "pdf", "dot", "mermaid", "json", "text")
SUFFIXES = {".gv": "dot", ".mmd": "mermaid", ".txt": "text"}
PIXELS = 60e6  # of a PNG at most; larger ones break viewers, and cut pictures off in some


class Picture:
    """A drawing. It holds numbers and texts, no tape and no arrays; it can be pickled.

    The same program gives the same bytes in every format but PDF, as long as the layout program is the same.

    Attributes:
        graph: all nodes.
        view: the boxes that are drawn.
        direction: "down" or "right".

    >>> import numpy as np
    >>> import adjoint as ad
    >>> with ad.Tape() as tape:
    ...     w = tape.parameter(2.0, name="w")
    ...     loss = ad.name(w * w, "loss")
    >>> print(ad.draw(loss).dot().splitlines()[0])
    digraph adjoint {
    """

    def __init__(self, graph: Graph, view: View, direction: str = "down") -> None:
        self.graph, self.view, self.direction = graph, view, direction

    @property
    def caption(self) -> str:
        """How much is drawn, and what was folded."""
        return self.view.caption

    def text(self) -> str:
        """An indented tree for terminals, one line a box."""
        return plain.text(self.graph, self.view)

    def json(self) -> str:
        """Every node, edge and scope, and the view; `"format": "adjoint.graph"`, with a version."""
        with without_collections():
            return plain.json(self.graph, self.view)

    def mermaid(self) -> str:
        """A Mermaid flowchart, for READMEs and issues."""
        return plain.mermaid(self.graph, self.view, self.direction)

    def dot(self) -> str:
        """The dot language of Graphviz."""
        return dot(self.graph, self.view, self.direction)

    def svg(self) -> str:
        """SVG, for pages and notebooks.

        Raises:
            LayoutError: there is no layout program, or it failed; so for `png` and `pdf`.
        """
        return finished(laid_out(self.dot(), "svg").decode(), self.graph, self.view)

    def html(self) -> str:
        """One HTML page that needs nothing else: pan, zoom, search, fold and unfold, read what a box holds.

        The page lays out itself what is opened in it, so there need not be a layout program.
        """
        with without_collections():
            return html(self.graph, self.view, self.direction)

    def png(self, dpi: float = 144) -> bytes:
        """PNG.

        Args:
            dpi: pixels per inch.

        Raises:
            LayoutError: as `svg`; or the picture would have more than sixty million pixels.
            ValueError: dpi is not positive.
        """
        if not dpi > 0:
            raise ValueError(f"dpi is a positive number of pixels per inch, got {dpi}")
        return self._png(dpi, *self._inches())

    def _png(self, dpi: float, width: float, height: float) -> bytes:
        if width * height * dpi**2 > PIXELS:
            raise LayoutError(
                f"a PNG of {width * dpi:.0f} × {height * dpi:.0f} pixels is more than viewers take\n"
                f"  Pass dpi={int((PIXELS / (width * height)) ** 0.5)}, "
                "draw fewer boxes (limit=60), or take .svg()."
            )
        return laid_out(self.dot(), "png", dpi=dpi)

    def pdf(self) -> bytes:
        """PDF of one page: lines and letters by the system's dot, else a picture of 200 pixels per inch."""
        if system_dot() is not None:
            return laid_out(self.dot(), "pdf")
        width, height = self._inches()
        dpi = min(200.0, float(int((PIXELS / (width * height)) ** 0.5)))
        return pdf_of(self._png(dpi, width, height), dpi)

    def _inches(self) -> tuple[float, float]:
        # the first line of `svg`: <svg width="376pt" height="176pt"
        head = self.svg()[:200].split('"')
        return float(head[1].removesuffix("pt")) / 72, float(head[3].removesuffix("pt")) / 72

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the format that the suffix names: .svg .html .png .pdf .dot .gv .mmd .json .txt.

        Raises:
            UnknownNameError: another suffix.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        form = SUFFIXES.get(suffix, suffix.removeprefix("."))
        if form not in FORMATS:
            known = [f".{f}" for f in FORMATS if f not in ("text", "mermaid")] + list(SUFFIXES)
            raise UnknownNameError(f"no format for {target.name!r}: a suffix is one of {', '.join(known)}")
        made: str | bytes = getattr(self, form)()
        target.write_bytes(made if isinstance(made, bytes) else made.encode())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """SVG for notebooks, with the text where there is no layout program."""
        bundle = {"text/plain": self.text()}
        with suppress(LayoutError):
            bundle["image/svg+xml"] = self.svg()
        return bundle

    def __repr__(self) -> str:
        return f"<Picture: {self.graph.title}; {self.caption}>"
