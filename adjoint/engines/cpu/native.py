"""What Python and the native driver hand each other: compiled entries, functions of the C library, locks."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache as remembered
from pathlib import Path
from typing import Any

from . import cache


@remembered
def source() -> str:
    """Text of the native half of driver and threads."""
    return Path(__file__).with_name("replay.py").read_text(encoding="utf-8")


def address(entry: str) -> int:
    """Where an entry of the native half lies; compiled on this machine's first use."""
    return cache.load(source(), entry, prelude="").address


@remembered
def function(entry: str, arity: int, *, returns: bool = False) -> Callable[..., int]:
    """An entry as a function of `arity` integers, to be called without the GIL."""
    result = ctypes.c_int64 if returns else None
    return ctypes.CFUNCTYPE(result, *[ctypes.c_int64] * arity)(address(entry))


@remembered
def python_api(name: str) -> int:
    """The address of a function of CPython's C API."""
    return _address(getattr(ctypes.pythonapi, name))


@remembered
def yielding() -> int:
    """The address of the system's function that lets another thread run."""
    if sys.platform == "win32":
        return _address(ctypes.WinDLL("kernel32").SwitchToThread)
    return _address(ctypes.CDLL(None).sched_yield)


def _address(symbol: Any) -> int:
    found = ctypes.cast(symbol, ctypes.c_void_p).value
    assert found is not None
    return found


@remembered
def _lock_call(name: str, result: Any, *arguments: Any, waits: bool = False) -> Callable[..., Any]:
    """A function of CPython's thread layer; one that may wait gives the GIL away."""
    prototype = ctypes.CFUNCTYPE if waits else ctypes.PYFUNCTYPE
    return prototype(result, *arguments)(python_api(name))


def new_lock() -> int:
    """A lock of CPython's thread layer, open: for use without the GIL; any thread may release it."""
    lock = _lock_call("PyThread_allocate_lock", ctypes.c_void_p)()
    if not lock:
        raise MemoryError("no lock to be had from the system")
    return int(lock)


def acquire(lock: int) -> None:
    """Wait for a lock, without the GIL."""
    _lock_call("PyThread_acquire_lock", ctypes.c_int, ctypes.c_void_p, ctypes.c_int, waits=True)(lock, 1)


def release(lock: int) -> None:
    """Give a lock back."""
    _lock_call("PyThread_release_lock", None, ctypes.c_void_p)(lock)


def free_lock(lock: int) -> None:
    """Give a lock's memory back."""
    _lock_call("PyThread_free_lock", None, ctypes.c_void_p)(lock)


class _MethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_FASTCALL = 0x80
_definitions: dict[str, _MethodDef] = {}  # CPython keeps the pointer


def builtin(entry: str, bound: object) -> Callable[..., int]:
    """An entry `PyObject* (PyObject* self, PyObject** args, Py_ssize_t count)` as a built-in function.

    Costs 20 ns per call, where numba's dispatcher takes 200 and ctypes 450.

    Args:
        entry: name of the cfunc.
        bound: the object it gets as `self`, kept alive by the function.
    """
    if entry not in _definitions:
        _definitions[entry] = _MethodDef(entry.encode(), address(entry), _FASTCALL, None)
    create = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
        python_api("PyCFunction_NewEx")
    )
    return create(ctypes.addressof(_definitions[entry]), bound, None)
