"""Streams that queue work and run it only when something waits; events; capture and graphs.

So a host buffer changed before its copy ran, memory freed too early and a result read without waiting show
as what they are. On one stream work runs in order; streams do not wait for each other unless told to.
"""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from .errors import CONTROL, CUDARuntimeError

Work = tuple[str, Callable[[], None], tuple[Any, ...]]  # name, what runs, what it keeps alive
_pointers = itertools.count(0x7F0000000000, 0x1000)


_running = threading.RLock()  # threads take turns, or what one took from a queue would run after what follows


class Stream:
    """As `cupy.cuda.Stream`."""

    null: Stream

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: Any = None
    ) -> None:
        if not null:
            CONTROL.require_device()
        self.ptr = 0 if null else next(_pointers)
        self.non_blocking = non_blocking
        self._queue: deque[Work] = deque()
        self._captured: list[Work] | None = None
        self._busy = False
        self._previous: list[Stream] = []

    # ------------------------------------------------------------------------------------------ work
    def push(self, name: str, run: Callable[[], None], keep: tuple[Any, ...] = ()) -> None:
        """Queue work, or record it while capturing. A graph keeps nothing alive, so a capture does not."""
        CONTROL.require_device()
        if self._captured is not None:
            self._captured.append((name, run, tuple(map(weakref.ref, _memory_of(keep)))))
        else:
            self._queue.append((name, run, keep))

    def drain(self) -> None:
        """Run what is queued, and what the null stream has to wait for."""
        with _running:
            for stream in [self] if self.non_blocking else [Stream.null, self]:
                stream._run_until(None)

    def _run_until(self, place: Place | None) -> None:
        """Run what is queued before a place, or all of it."""
        while self._queue and not (place is not None and place.passed):
            assert not self._busy, "work that waits for its own stream"
            name, run, _ = self._queue.popleft()
            CONTROL.log.append(name)
            self._busy = not isinstance(run, _Wait)  # to wait is not to work: others may wait meanwhile
            try:
                run()
            finally:
                self._busy = False

    def refuse_in_capture(self, what: str = "synchronous API calls") -> None:
        """What waits cannot be recorded."""
        if self._captured is not None:
            raise RuntimeError(f"the current stream is capturing, so {what} are disallowed")

    def synchronize(self) -> None:
        """Wait for the work queued so far."""
        CONTROL.require_device()
        if self._captured is not None:
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported")
        CONTROL.counts.synchronizations += 1
        self.drain()

    @property
    def done(self) -> bool:
        """Whether nothing is queued."""
        return not self._queue

    def __enter__(self) -> Stream:
        self._previous.append(current())
        _current.stream = self
        return self

    def __exit__(self, *error: object) -> None:
        _current.stream = self._previous.pop()

    def use(self) -> Stream:
        """Make it the current stream."""
        _current.stream = self
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and other.ptr == self.ptr

    def __hash__(self) -> int:
        return hash(self.ptr)

    # ------------------------------------------------------------------------------------------ events
    def record(self, event: Event | None = None) -> Event:
        """Record an event."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let later work wait for an event."""
        if event._stream is not None and event._stream is not self:
            self.push("wait", _Wait(event._stream, event._place))

    # ------------------------------------------------------------------------------------------ capture
    def begin_capture(self, mode: int | None = None) -> None:
        """Record what follows as a graph instead of queueing it."""
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self._captured is not None:
            raise CUDARuntimeError("cudaErrorIllegalState")
        self._captured = []

    def end_capture(self) -> Graph:
        """The graph of what was recorded."""
        if self._captured is None:
            raise RuntimeError("cannot end capture: the stream is not capturing")
        graph, self._captured = Graph(self._captured), None
        return graph

    def is_capturing(self) -> bool:
        """Whether it records."""
        return self._captured is not None


def _memory_of(operands: tuple[Any, ...]) -> list[Any]:
    """The device's memory that operands point into."""
    pointers = [getattr(x, "data", x) for x in operands]
    return [p.mem for p in pointers if hasattr(p, "mem")]


class Graph:
    """Work with its addresses and numbers frozen; it keeps no memory alive."""

    def __init__(self, work: list[Work]) -> None:
        self._work = work

    def launch(self, stream: Stream | None = None) -> None:
        """Queue all of it."""
        target = chosen(stream)
        CONTROL.counts.graphs += 1
        for name, run, references in self._work:
            # the pool gives memory again in the order of the stream: what is alive now is so until this ran
            target.push(name, run, tuple(reference() for reference in references))

    def upload(self, stream: Stream | None = None) -> None:
        """Prepare the first launch."""


class Place:
    """A place in a stream's work."""

    passed = False
    time = 0.0


class _Wait:
    """Work that lets another stream run up to a place."""

    def __init__(self, stream: Stream, place: Place) -> None:
        self.stream, self.place = stream, place

    def __call__(self) -> None:
        self.stream._run_until(self.place)


class Event:
    """As `cupy.cuda.Event`: a place in a stream, and a time."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        CONTROL.require_device()
        self._stream: Stream | None = None
        self._place = Place()
        self._timed = not disable_timing

    def record(self, stream: Stream | None = None) -> None:
        """Record the place where the stream is now; another place than that of an earlier record."""
        self._stream = chosen(stream)
        place = self._place = Place()

        def pass_by() -> None:
            place.passed, place.time = True, time.perf_counter()

        self._stream.push("event", pass_by)

    def synchronize(self) -> None:
        """Wait until the stream has passed it."""
        if self._stream is not None:
            self._stream.synchronize()

    @property
    def done(self) -> bool:
        """Whether the stream has passed it."""
        return self._stream is None or self._place.passed


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds between two events that have passed."""
    first, last = start_event._place, end_event._place
    if not (first.passed and last.passed):
        raise CUDARuntimeError("cudaErrorInvalidValue", "an event has not passed")
    return 1e3 * (last.time - first.time)


Stream.null = Stream(null=True)


class _Current(threading.local):
    """The current stream of each thread, as cupy has it."""

    def __init__(self) -> None:
        self.stream = Stream.null


_current = _Current()


def current() -> Stream:
    """The current stream."""
    return _current.stream


def get_current_stream(device_id: int = -1) -> Stream:
    """As `cupy.cuda.get_current_stream`."""
    return current()


def chosen(stream: Any) -> Stream:
    """A stream that was named, or the current one."""
    return current() if stream is None else stream


def reset() -> None:
    """No work, no capture."""
    Stream.null._queue.clear()
    Stream.null._captured = None
    _current.stream = Stream.null
