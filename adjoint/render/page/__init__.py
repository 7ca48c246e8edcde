"""The page: one HTML file that needs no network, no layout program and no other file.

The file holds the graph with its whole tree of groups as JSON, and a script that folds, lays out and draws
what is open. The script has a layout of its own because any of 2ⁿ states of n groups can be opened: states
laid out beforehand would be too few, and Graphviz compiled for browsers is forty times the size of this page.

No text of the user's is ever read as markup. It is JSON with every `<` escaped, in a block that browsers do
not execute; the script shows it by `textContent`; and a Content-Security-Policy forbids everything but this
very script and style (by their hashes), markup made from strings included.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files

from ..graph import Graph, View
from ..words import escaped
from .data import document

# in the order of their use; they share one scope
SCRIPTS = ("model", "layout", "mirror", "paint", "panel", "page", "look", "search", "keys")


def html(graph: Graph, view: View, direction: str = "down") -> str:
    """The page of a graph, opened as the view is.

    Args:
        graph: what is drawn.
        view: which of its groups are folded at first.
        direction: "down" or "right".

    Returns:
        HTML; the same graph and view give the same bytes.
    """
    text = json.dumps(document(graph, view, direction), separators=(",", ":"), allow_nan=False)
    parts = {
        "title": escaped(graph.title, 200),
        "policy": policy(),
        "style": style(),
        "script": script(),
        "data": text.replace("<", "\\u003c"),
    }
    # in one pass: a label that looks like a mark is data, not a mark
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read("page.html"))


@cache
def script() -> str:
    """The script of every page: the files together, in a scope of their own."""
    body = "\n".join(_squeezed(_read(f"{name}.js")) for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}\n}})();\n'


@cache
def style() -> str:
    """The style of every page."""
    needless = re.compile(r"/\*.*?\*/|^ +|(?<=[:;,{]) +| +(?=\{)|;? *(?=\})|\n+", re.DOTALL | re.MULTILINE)
    return needless.sub("", _read("page.css"))


@cache
def policy() -> str:
    """What a page may do: run this script, use this style, and nothing else."""
    return "; ".join([
        "default-src 'none'", f"script-src '{_hash(script())}'", f"style-src '{_hash(style())}'",
        "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
    ])  # fmt: skip


# strings, templates and regular expressions stay as they are; comments go, and spaces where none is needed
_SIGNS = r"[(){}\[\]=<>?:;,&|!*]"
_PIECES = re.compile(
    r"""(?P<kept>"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=\()/(?:\\.|[^/\\\n])+/)"""
    r"|(?<=[\w)\]]) (?P<sign>[+/%-]) (?=[\w(])|(?P<constant>\bconst\b)|(?P<comment>//[^\n]*|/\*.*?\*/)"
    rf"|^ +|\n+(?=\n)|(?<=[;,{{(])\n+|[;,]?\s+(?=\}})|,?\s+(?=[)\]])| +(?={_SIGNS})|(?<={_SIGNS}) +",
    re.DOTALL | re.MULTILINE,
)


def _squeezed(text: str) -> str:
    """A script without comments and without the spaces that only readers need."""

    def written(found: re.Match[str]) -> str:
        return found["kept"] or found["sign"] or ("let" if found["constant"] else "")

    return _PIECES.sub(written, text).strip()


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
