"""What the GPU engine gains: five workloads on the device, ours beside eager cupy, torch and jax.

Ours is NumPy's text through `ad.compile(engine="cupy")`, with and without CUDA graphs. Everybody's data lie
on the device and results stay there. A contestant is called until it is warm, compared with a float64
reference, and then timed in interleaved rounds: a turn is a stretch of calls between two events on its stream
(jax has none: between two waits, by the clock). Without a device nothing is measured, and nothing is printed
but why.

    python bench/gpu.py --rounds 9 --only W2
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any, NamedTuple

import harness
import numpy as np
from agreement import deviation
from contest import TOLERANCE, chosen
from environment import heading, options, versions
from harness import Skip
from programs import Case, eight, eight_by_hand, eight_cases, in_float64, map_leaves

import adjoint as ad

OURS, WARM, TURN = "adjoint", 5, 0.05  # calls before anything is timed; seconds of a turn


class Running(NamedTuple):
    """A contestant on the device.

    Attributes:
        call: puts one evaluation on its stream and returns the results, on the device.
        fetch: results as NumPy's.
        stretch: seconds that the device needs for so many calls.
    """

    call: Callable[[], Any]
    fetch: Callable[[Any], Any]
    stretch: Callable[[int], float]


def between_events(call: Callable[[], Any], event: Callable[[], Any], elapsed: Callable[..., float]) -> Any:
    """Times stretches by two events of a stream; `elapsed` gives milliseconds."""

    def stretch(count: int) -> float:
        start, stop = event(), event()
        start.record()
        for _ in range(count):
            call()
        stop.record()
        stop.synchronize()
        return elapsed(start, stop) / 1e3

    return stretch


# -------------------------------------------------------------------------------------- contestants
def _cupy(case: Case, transform: Callable[..., Any]) -> Running:
    import cupy

    f = getattr(eight, case.program)
    parameters, data = (map_leaves(cupy.asarray, x) for x in (case.parameters, case.data))
    count = len(parameters)
    function = transform(ad.value_and_grad(lambda *p: f(*p, *data), tuple(range(count))))

    def call() -> Any:
        return function(*parameters)

    elapsed = cupy.cuda.get_elapsed_time
    timer = between_events(call, lambda: cupy.cuda.Event(disable_timing=False), elapsed)
    return Running(call, lambda z: map_leaves(cupy.asnumpy, z), timer)


def ours(case: Case) -> Running:
    return _cupy(case, lambda f: ad.compile(f, engine="cupy"))


def ours_by_graphs(case: Case) -> Running:
    return _cupy(case, lambda f: ad.compile(f, engine="cupy", graphs=True))


def eager(case: Case) -> Running:
    return _cupy(case, lambda f: f)


def _torch(case: Case, compiled: bool) -> Running:
    import torch

    if not torch.cuda.is_available():
        raise Skip("torch sees no device")
    module = import_module("programs.eight_torch")
    send = lambda x: map_leaves(lambda t: t.cuda() if hasattr(t, "cuda") else t, x)  # noqa: E731
    parameters = map_leaves(lambda t: t.detach().cuda().requires_grad_(), module.own(case.parameters))
    data, f = send(module.own(case.data)), getattr(module, case.program)
    variables = module.flat(parameters[0]) if isinstance(parameters[0], list) else list(parameters)
    function = torch.compile(f) if compiled else f

    def call() -> Any:
        value = function(*parameters, *data)
        return value, torch.autograd.grad(value, variables)

    timer = between_events(
        call, lambda: torch.cuda.Event(enable_timing=True), lambda a, b: float(a.elapsed_time(b))
    )
    return Running(call, lambda z: map_leaves(lambda t: t.detach().cpu().numpy(), z), timer)


def torch_eager(case: Case) -> Running:
    return _torch(case, False)


def torch_compiled(case: Case) -> Running:
    return _torch(case, True)


def jax_jit(case: Case) -> Running:
    import jax

    if jax.default_backend() != "gpu":
        raise Skip("jax sees no device")
    module = import_module("programs.eight_jax")
    f = getattr(module, case.program, None) or getattr(eight, case.program)
    parameters, data = (map_leaves(jax.numpy.asarray, x) for x in (case.parameters, case.data))
    count = len(parameters)
    function = jax.jit(jax.value_and_grad(lambda *p: f(*p, *data), tuple(range(count))))

    def call() -> Any:
        return function(*parameters)

    def stretch(n: int) -> float:
        begun = time.perf_counter()
        for _ in range(n):
            z = call()
        jax.block_until_ready(z)
        return time.perf_counter() - begun

    return Running(call, lambda z: map_leaves(np.asarray, z), stretch)


CONTESTANTS: list[tuple[str, Callable[[Case], Running]]] = [
    (OURS, ours), ("adjoint, CUDA graphs", ours_by_graphs), ("cupy, eager sweep", eager),
    ("torch eager", torch_eager), ("torch.compile", torch_compiled), ("jax.jit", jax_jit),
]  # fmt: skip


def cases() -> list[Case]:
    """Value and gradient of five programs."""
    found = [eight_cases.w2(n, dtype) for n in (100_000, 10_000_000) for dtype in ("float32", "float64")]
    found += [eight_cases.w3(512, "float32", "gradient")]
    return [*found, replace(eight_cases.w4("float32"), ask="gradient"), eight_cases.w6("float32", steps=100)]


# ----------------------------------------------------------------------------------------- measuring
def reference(case: Case) -> Any:
    """Value and gradients in float64 on the host."""
    parameters, data = in_float64(case.parameters), in_float64(case.data)
    by_hand = eight_by_hand.ASKED.get((case.program, "hessian")) or getattr(eight_by_hand, case.program)
    return by_hand(*parameters, *data)[:2]


def measure(case: Case, rounds: int) -> None:
    """Compare, time, print the table and the JSON lines."""
    want, rows, runs, times, notes = reference(case), [], {}, {}, {}
    for name, build in CONTESTANTS:
        try:
            running = build(case)
            for _ in range(WARM):
                result = running.call()
            error = deviation(running.fetch(result), want)
        except (ImportError, Skip) as why:
            notes[name] = f"skipped: {why}"
            continue
        except Exception as why:  # a comparison outlives whoever cannot take part, and says why
            notes[name] = f"failed: {type(why).__name__}: {str(why).strip().splitlines()[0][:100]}"
            continue
        if not error <= TOLERANCE[case.dtype]:
            notes[name] = f"not timed: deviates from the reference by {error:.1e}"
            continue
        repetitions = max(1, int(TURN / max(running.stretch(3) / 3, 1e-6)))
        runs[name], times[name], notes[name] = (running, repetitions, error), [], ""
    for _ in range(rounds):
        for name, (running, repetitions, _) in runs.items():
            times[name].append(running.stretch(repetitions) / repetitions)
    base = statistics.median(times[OURS]) if times.get(OURS) else None
    for name, _ in CONTESTANTS:
        if name not in runs:
            rows.append([name, notes[name]])
            continue
        median, spread = statistics.median(times[name]), harness.spread(times[name])
        ratio = f"{median / base:.2f}" if base else "–"
        rows.append([name, f"{1e6 * median:.1f}", f"{1e6 * spread:.1f}", ratio, f"{runs[name][2]:.0e}"])
    harness.table(f"{case.title}, {rounds} rounds", ["", "median/µs", "IQR/µs", "ratio", "error"], rows)
    known = versions(["cupy-cuda13x", "cupy-cuda12x", "torch", "jax"])
    for name, note in notes.items():
        value = statistics.median(times[name]) if name in runs else None
        more = {"iqr": harness.spread(times[name])} if name in runs else {"reason": note}
        harness.emit("gpu", case.title, name, value, "s", case.n, device=device(), **more, **known)


def device() -> str:
    """The device's name."""
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def main() -> int:
    parser = options(__doc__, rounds=9)
    parser.add_argument("--only", default="", help="cases whose titles contain one of these, by commas")
    given = parser.parse_args()
    try:
        ad.compile(np.sin, engine="cupy")
    except (ad.DeviceError, ad.MissingPackageError) as why:
        print(f"nothing measured: {why}", file=sys.stderr)
        return 2
    print(f"{heading()} · device {device()}")
    for case in chosen(given, cases()):
        measure(case, given.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
