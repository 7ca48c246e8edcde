"""CUDA graphs of what a call launches: recorded for a set of addresses, launched when these come again.

A graph holds the addresses with which it was recorded. So there is one for each set of argument and result
arrays that has come twice; arrays that are donated, and those that cupy's pool gives again and again, come at
few addresses. What a stream cannot record, cuBLAS under cupy and whatever waits, runs between graphs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from .binding import Arrays, Bound, BoundCall

MOST = 8  # sets of addresses that are remembered
FEWEST = 2  # launches that are worth a graph

Part = Any  # a cupy.cuda.Graph, or a Bound that runs by itself


class Graphs:
    """The graphs of one program.

    Args:
        cupy: the module.
        work: what a call runs, in order.

    Attributes:
        launched: how many graphs were launched.
    """

    def __init__(self, cupy: Any, work: Sequence[Bound]) -> None:
        self._cupy, self._work = cupy, work
        self._known: OrderedDict[tuple[int, ...], list[Part] | None] = OrderedDict()
        self.launched = 0
        self._stream: Any = None  # records only; the default stream cannot be recorded

    def replay(self, args: Arrays, outs: Arrays, call: Callable[[BoundCall], None]) -> bool:
        """Launch the graphs for these addresses; False when they are new, and nothing was done.

        Args:
            args: arguments of the call.
            outs: arrays for its results.
            call: runs what no stream can record.
        """
        key = tuple([x.data.ptr for x in (*args, *outs) if isinstance(x, self._cupy.ndarray)])
        if key not in self._known:
            self._known[key] = None
            if len(self._known) > MOST:
                self._known.popitem(last=False)
            return False
        self._known.move_to_end(key)
        parts = self._known[key]
        if parts is None:
            parts = self._known[key] = self._recorded(args, outs)
        stream = self._cupy.cuda.get_current_stream()
        for part in parts:
            if isinstance(part, BoundCall):
                call(part)
            elif callable(part):
                part(args, outs)
            else:
                part.launch(stream)
                self.launched += 1
        return True

    def _recorded(self, args: Arrays, outs: Arrays) -> list[Part]:
        """Stretches of launches as graphs, and what runs between them."""
        parts: list[Part] = []
        stretch: list[Bound] = []
        for work in self._work:
            if work.captured:
                stretch.append(work)
                continue
            parts += [*self._graph(stretch, args, outs), work]
            stretch = []
        return [*parts, *self._graph(stretch, args, outs)]

    def _graph(self, stretch: Sequence[Bound], args: Arrays, outs: Arrays) -> list[Part]:
        if len(stretch) < FEWEST:
            return list(stretch)
        if self._stream is None:
            self._stream = self._cupy.cuda.Stream(non_blocking=True)
        with self._stream as stream:
            stream.begin_capture()
            try:
                for work in stretch:
                    work(args, outs)
            finally:
                graph = stream.end_capture()  # also when a launch fails: the stream must not stay as it is
        return [graph]
