"""Whose turn it is: a program's memory belongs to one call at a time, from whatever stream and thread."""

from __future__ import annotations

import threading
from typing import Any


class Turns:
    """The order of the calls of one program, made on the current device and stream.

    cupy's pool gives freed memory out again in the order of the stream on which it was taken, which knows
    nothing of calls on other streams: so that stream has to wait for the last of them (`leave`).

    Args:
        cupy: the module.
    """

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy
        self._event = cupy.cuda.Event(disable_timing=True)  # where the last call ends
        self._home = cupy.cuda.get_current_stream()
        self._last: tuple[Any, int] | None = None

    def begin(self) -> None:
        """What follows on the current stream comes after the last call.

        Threads are told apart too: cupy's default streams of two threads may have one and the same number.
        """
        stream = self._cupy.cuda.get_current_stream()
        if self._last is not None and self._last != (stream, threading.get_ident()):
            stream.wait_event(self._event)

    def end(self) -> None:
        """What was put on the current stream so far is the last call."""
        stream = self._cupy.cuda.get_current_stream()
        stream.record(self._event)
        self._last = stream, threading.get_ident()

    def leave(self) -> None:
        """The memory goes back: what its stream does from now on comes after the last call."""
        if self._last is not None and self._last[0] != self._home:
            self._home.wait_event(self._event)
