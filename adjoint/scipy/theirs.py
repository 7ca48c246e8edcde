"""The names of SciPy's that a module here does not define."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any


def theirs(name: str, own: Sequence[str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a module: what it does not define is SciPy's, imported when first used.

    Args:
        name: of SciPy's module, or of an object in it, after "scipy.".
        own: names that the module defines.
    """

    def module() -> Any:
        import scipy

        return attrgetter(name)(scipy)

    def lookup(attribute: str) -> Any:
        return getattr(module(), attribute)

    def names() -> list[str]:
        return sorted({*own, *dir(module())})

    return lookup, names
