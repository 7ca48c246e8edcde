"""x[index] and x[index] = v."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np

from .errors import CONTROL
from .streams import current
from .values import accepted, compute, host_of, is_device, new

_turn = itertools.count(1)  # of writes whose order is open


def index_parts(index: Any) -> list[Any]:
    """The parts of an index, arrays on the device: those of the host are sent there, as cupy does."""
    from .creation import array

    parts = list(index) if isinstance(index, tuple) else [index]
    for k, part in enumerate(parts):
        if isinstance(part, slice):  # its bounds now, not when the work runs
            bounds = (b.item() if is_device(b) else b for b in (part.start, part.stop, part.step))
            parts[k] = part = slice(*(b if b is None else operator.index(b) for b in bounds))
        if isinstance(part, (list, np.ndarray, bool, np.bool_)):
            sent = np.asarray(part)
            parts[k] = array(sent.astype(np.int32) if isinstance(part, list) and not sent.size else sent)
        elif not (
            part is None or part is Ellipsis or isinstance(part, slice) or is_device(part)
        ) and not hasattr(part, "__index__"):
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`),numpy.newaxis (`None`) and integer or "
                "boolean arrays are valid indices"
            )
        if is_device(parts[k]) and parts[k].dtype.kind not in "biu?":
            raise IndexError(
                f"arrays used as indices must be of integer or boolean type. (actual: {parts[k].dtype.type})"
            )
    return parts


def host_index(parts: list[Any]) -> tuple[Any, ...]:
    """The index as NumPy takes it."""
    return tuple(host_of(part) for part in parts)


def _wrapped(parts: list[Any], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Index arrays taken modulo the size: cupy does not look whether they are in bounds."""
    taken = [
        part.ndim if is_device(part) and part.dtype == bool else 0 if part is None or part is Ellipsis else 1
        for part in parts
    ]
    rest, axis, index = len(shape) - sum(taken), 0, []
    for part, count in zip(parts, taken, strict=True):
        host = host_of(part)
        if is_device(part) and part.dtype != bool and shape[axis]:
            host = host % shape[axis]
        index.append(host)
        axis += rest if part is Ellipsis else count
    return tuple(index)


def getitem(x: Any, index: Any) -> Any:
    """x[index]: a view for slices and integers, a queued gather for index arrays, at once for masks."""
    CONTROL.require_device()
    parts = index_parts(index)
    arrays = [part for part in parts if is_device(part)]
    if not arrays:
        whole = parts if any(part is Ellipsis for part in parts) else [*parts, Ellipsis]
        return x._view_of(x._host()[tuple(whole)])
    if not x.size or any(a.dtype == bool for a in arrays):
        return compute(lambda host, *at: host[at], x, *parts)
    blank = np.broadcast_to(np.zeros((), bool), x.shape)
    index = tuple(np.zeros(p.shape, np.intp) if is_device(p) else p for p in parts)
    result = new(blank[index].shape, x.dtype)
    current().push(
        "getitem",
        lambda: result._host().__setitem__(..., x._host()[_wrapped(parts, x.shape)]),
        (x, parts, result),
    )
    return result


def _write(host: np.ndarray, index: tuple[Any, ...], given: Any) -> None:
    """host[index] = given; of two writes to one place either may stand, as on the device."""
    if not any(isinstance(part, np.ndarray) and part.dtype != bool for part in index):
        host[index] = given
        return
    places = np.arange(host.size).reshape(host.shape)[index]
    values = np.broadcast_to(
        np.squeeze(given, tuple(range(max(np.ndim(given) - places.ndim, 0)))), places.shape
    )
    order = slice(None, None, -1 if next(_turn) % 2 else 1)
    host.flat[places.ravel()[order]] = values.ravel()[order]


def setitem(x: Any, index: Any, value: Any) -> None:
    """x[index] = value, queued."""
    CONTROL.require_device()
    if isinstance(value, np.ndarray):
        if value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        value = value.item()
    parts = index_parts(index)
    operand = accepted(value)
    target = np.broadcast_to(np.zeros((), bool), x.shape)
    if not any(is_device(p) for p in parts):
        shape = target[tuple(parts)].shape
        if is_device(operand):
            np.broadcast_shapes(shape, operand.shape)
    elif current().is_capturing() is False and any(is_device(p) and p.dtype == bool for p in parts):
        current().drain()

    def run() -> None:
        with np.errstate(all="ignore"):
            given = host_of(operand)
            if np.iscomplexobj(given) and x.dtype.kind != "c":
                given = np.real(given)
            _write(x._host(), _wrapped(parts, x.shape), given)

    current().push("setitem", run, (x, parts, operand))
