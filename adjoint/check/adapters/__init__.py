"""Functions of other frameworks as subjects, recognised by where their types come from.

Nothing is imported to find out: an array or a function of torch, jax, autograd or CasADi names its module,
and whoever handed it in has imported that already.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from ... import tree as trees
from ..subject import Subject

FRAMEWORKS = ("torch", "jax", "casadi", "autograd")
ALIASES = {"jaxlib": "jax", "equinox": "jax", "flax": "jax"}


def framework_of(f: Any, args: Sequence[Any]) -> str | None:
    """The framework whose arrays are among the arguments, or whose function f is; None for plain NumPy."""
    for leaf in trees.flatten(list(args))[0]:
        found = _home(type(leaf))
        if found in ("torch", "jax", "casadi"):
            return found
    kinds = [f] if isinstance(f, type) else [type(f)]
    owner = getattr(f, "__self__", None)  # MyFunction.apply
    kinds += [owner] if isinstance(owner, type) else [] if owner is None else [type(owner)]
    for kind in kinds:
        found = _home(kind)
        if found is not None:
            return found
    return "autograd" if getattr(f, "_is_autograd_primitive", False) or _names_autograd(f) else None


def _home(kind: type) -> str | None:
    """The framework that a class, or one that it is made from, belongs to."""
    for base in kind.__mro__:
        root = getattr(base, "__module__", "").split(".")[0]
        root = ALIASES.get(root, root)
        if root in FRAMEWORKS:
            return root
    return None


def _names_autograd(f: Any) -> bool:
    """Whether a plain function calls something of autograd's by name: `anp.sin`, a primitive of one's own."""
    code = getattr(f, "__code__", None)
    if code is None:
        return False
    held = [c.cell_contents for c in getattr(f, "__closure__", None) or () if _filled(c)]
    held += [f.__globals__.get(name) for name in code.co_names]
    return any(_is_autograds(thing) for thing in held if thing is not None)


def _is_autograds(thing: Any) -> bool:
    """A module of autograd's, one of its functions, or a primitive made with it."""
    home = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", "")
    return str(home).split(".")[0] == "autograd" or getattr(thing, "_is_autograd_primitive", False) is True


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def adapted(f: Any, args: Sequence[Any], argnum: int | Sequence[int] | None, framework: str) -> Subject:
    """The subject of a function of some framework.

    Raises:
        ValueError: a framework that is not among those known here.
    """
    if framework not in FRAMEWORKS:
        known = ", ".join(map(repr, FRAMEWORKS))
        raise ValueError(f"unknown framework {framework!r}: there are {known}; for anything else, check.pair")
    module = import_module(f".for_{framework}", __name__)
    subject: Subject = module.subject(f, args, argnum)
    subject.foreign = framework
    return subject
