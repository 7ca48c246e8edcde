"""MathML as data: only what typesets formulas gets through, and the page builds it node by node."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

from ...text import clean

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
ELEMENTS = frozenset({
    "math", "mfrac", "mi", "mn", "mo", "mover", "mrow", "mspace", "msqrt", "mroot", "mstyle", "msub",
    "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover",
})  # fmt: skip
ATTRIBUTES = frozenset({
    "display", "displaystyle", "form", "lspace", "mathvariant", "movablelimits", "rspace", "separator",
    "stretchy", "style", "width",
})  # fmt: skip
STYLE = re.compile(r"(?:(?:text-align|padding-(?:left|right)): *[a-z0-9.]+;? *)*")
LONGEST = 400


def tree_of(mathml: str) -> list[Any]:
    """`[name, attributes, child, …]`, where a child is another of these or a text.

    Args:
        mathml: one element.

    Raises:
        ValueError: it holds what typesets no formula.

    >>> tree_of("<math><mi>x</mi></math>")
    ['math', {}, ['mi', {}, 'x']]
    """
    root = ET.fromstring(mathml)
    made: dict[ET.Element, list[Any]] = {}
    for element in root.iter():  # parents first
        name = element.tag.removeprefix(f"{{{NAMESPACE}}}")
        if name not in ELEMENTS:
            raise ValueError(f"no element of a formula: {name!r}")
        made[element] = [name, _attributes(element)]
        if element.text and element.text.strip(" \n"):
            made[element].append(clean(element.text, LONGEST))
    for element in root.iter():
        made[element] += [made[child] for child in element]
    return made[root]


def _attributes(element: ET.Element) -> dict[str, str]:
    for key, text in element.attrib.items():
        if key == "style" and not STYLE.fullmatch(text):
            raise ValueError(f"no style of a formula: {text!r}")
    return {key: text for key, text in element.attrib.items() if key in ATTRIBUTES}
