"""On which side a public function computes: on the host, or where its arrays are, all of them together.

`host_only` and `same_side` are said once of a function, or of a class; what it cannot take is refused before
anything is done, by the argument's name and with the remedy.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from ..errors import DTypeError, describe, refusal
from .device import BOTH, elsewhere, is_array, mixed, on_device
from .primitive import innermost

F = TypeVar("F", bound=Callable[..., Any])
NUMBERS = frozenset({bool, int, float})
Check = Callable[[Any, Any, Any], None]  # of a function, its arguments, and those by name


# ------------------------------------------------------------------------------ what may be said of functions
def host_only(subject: F) -> F:
    """A function that computes on the host; or a class, all of whose public methods do, and its making.

    Raises:
        DTypeError: (by the function) an argument is an array of a device, or a container that holds one:
            nothing is copied unasked.
    """
    return _checked(subject, _refuse_device)


def same_side(subject: F) -> F:
    """A function, or a class's methods, computing where its arrays are: all on the host, or all on a device.

    Raises:
        DTypeError: (by the function) some are here and some there.
    """
    return _checked(subject, _refuse_mixture)


def _checked(subject: Any, check: Check) -> Any:
    if not isinstance(subject, type):
        return _checked_function(subject, check)
    for name, member in list(vars(subject).items()):
        if name in ("__init__", "__call__") or not name.startswith("_"):
            if isinstance(member, classmethod):
                setattr(subject, name, classmethod(_checked_function(member.__func__, check)))
            elif inspect.isfunction(member):
                setattr(subject, name, _checked_function(member, check))
    return subject


def _checked_function(function: Any, check: Check) -> Any:
    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if "cupy" in sys.modules:
            check(function, args, kwargs)
        return function(*args, **kwargs)

    return checked


def _refuse_device(function: Any, args: Any, kwargs: Any) -> None:
    if any(elsewhere(x) for _, x in _within((args, kwargs), "")):
        refuse_device(_called(function, args), **_by_name(function, args, kwargs))


def _refuse_mixture(function: Any, args: Any, kwargs: Any) -> None:
    if mixed([x for _, x in _within((args, kwargs), "")]):
        refuse_mixture(_called(function, args), **_by_name(function, args, kwargs))


# ------------------------------------------------------------------------------ the same of arguments by name
def refuse_device(who: str, **given: Any) -> None:
    """Refuse arrays of a device in what a user gave, by name, to a function that computes on the host.

    Raises:
        DTypeError: one of the values is an array of a device, or a container that holds one.
    """
    for name, value in given.items():
        for label, x in _within(value, name):
            if elsewhere(x):
                what = f"{who} computes on the host, and {label} is an array of a device"
                operand = f"{describe(x, label)}, on the device"
                raise refusal(DTypeError, what, _copied(name, label, x), [operand])


def _copied(name: str, label: str, x: Any) -> str:
    """How to copy an argument, or the container in which the array stands, to the host."""
    if not on_device(x):
        return "Copy it to the host first; torch has x.cpu()."
    if label != name:
        return f"Copy it to the host first: ad.tree_map(cupy.asnumpy, {name})."
    return f"Copy it to the host first: {name}.get(), or cupy.asnumpy({name})."


def refuse_mixture(who: str, **given: Any) -> None:
    """Refuse arrays of host and device together in what a user gave by name.

    Raises:
        DTypeError: some of the arrays are here and some there.
    """
    sides: dict[tuple[bool, str], list[tuple[str, Any]]] = {}  # of the device?, argument → its arrays there
    for name, value in given.items():
        for label, x in _within(value, name):
            if is_array(x):
                sides.setdefault((on_device(x), name), []).append((label, x))
    if not mixed([x for arrays in sides.values() for _, x in arrays]):
        return
    operands, sent = [], []
    for there, name in sorted(sides):
        (label, x), *others = sides[there, name]
        more = f" and {len(others)} more" if others else ""
        operands.append(f"{describe(x, label)}{more}, on the {'device' if there else 'host'}")
        if not there:
            sent.append(f"cupy.asarray({name})" if label == name else f"ad.tree_map(cupy.asarray, {name})")
    remedy = f"Send what is on the host there once, before the computation: {', '.join(sent)}."
    raise refusal(DTypeError, f"{who} {BOTH}", remedy, operands)


def host_result(x: Any, what: str, dtype: Any = None) -> np.ndarray:
    """What a user's function returned to one that computes on the host, as an array of NumPy.

    Args:
        x: an array, a number, or nested lists of them.
        what: whose result that is, for the error: "feature 'mean'".
        dtype: of the result; its own by default.

    Raises:
        DTypeError: it is an array of a device, or holds one: nothing is copied unasked.
    """
    if "cupy" in sys.modules and any(elsewhere(part) for _, part in _within(x, "")):
        text = f"{what} returned an array of a device, where all else is on the host"
        raise refusal(DTypeError, text, "Let it return x.get(), or cupy.asnumpy(x).", [describe(x)])
    return np.asarray(x, dtype)


# ------------------------------------------------------------------------------ names
def label_of(x: Any, function: Any, args: Any, kwargs: Any) -> str:
    """What a function calls one of the values in its arguments: "params/W"; "" where it cannot be said."""
    try:
        given = _by_name(function, args, kwargs)
    except (TypeError, ValueError):  # no signature, or another
        return ""
    return next((label for name, value in given.items() for label, y in _within(value, name) if y is x), "")


def _within(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """What stands in nested containers of any kind, with its place: ("params/W", x); no lists of numbers.

    Below every level of recording: a Variable counts as what it stands for.
    """
    if isinstance(value, (dict, list, tuple)):
        if not isinstance(value, dict) and NUMBERS.issuperset(map(type, value)):
            return  # rows of data as lists
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in inside:
            yield from _within(part, f"{path}/{key}")
    else:
        yield path, innermost(value)


def _called(function: Any, args: Any) -> str:
    """What the user called: `align`, `Ridge.fit`, or `Scores` where one is made."""
    if "." not in function.__qualname__ or "<locals>" in function.__qualname__:
        return str(function.__name__)
    kind = args[0] if isinstance(args[0], type) else type(args[0])
    return kind.__name__ if function.__name__ == "__init__" else f"{kind.__name__}.{function.__name__}"


def _by_name(function: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments by the names that the function has for them."""
    signature = inspect.signature(function)
    given = signature.bind(*args, **kwargs).arguments
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            given.update(given.pop(name, {}))
    return given
