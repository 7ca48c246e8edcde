"""SVG as the layout program writes it, made fit to be embedded: a title, a description, fonts, no version."""

from __future__ import annotations

import re

from .graph import Graph, View
from .words import escaped

FONTS = "Helvetica, Arial, &quot;Liberation Sans&quot;, sans-serif"


def finished(raw: str, graph: Graph, view: View) -> str:
    """The SVG of a picture.

    What names the program's version and date is taken out, so that the bytes depend on the graph alone.

    Args:
        raw: from the layout program.
        graph: for title and description.
        view: for the caption.
    """
    start = raw.index("<svg")
    body = re.sub(r"<!--.*?-->\n?", "", raw[start:], flags=re.DOTALL)
    body = re.sub(r'font-family="[^"]*"', f'font-family="{FONTS}"', body)
    body = body.replace("<title>adjoint</title>\n", "", 1)
    head, _, rest = body.partition(">")
    title, description = escaped(graph.title, 1000), escaped(view.caption, 1000)
    return (
        f'{head} role="img" aria-label="{title}">\n<title>{title}</title>\n<desc>{description}</desc>{rest}'
    )
