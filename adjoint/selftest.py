"""A short test of the GPU engine on the machine it is for, with a report to send: `doctor --gpu`.

Every program runs eagerly on the host and compiled on the device, and the results are compared.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import nn, optim, transforms
from . import tree as trees
from ._version import __version__
from .engines import compile
from .errors import AdjointError, IndexingError
from .ops.segment import segment_logsumexp
from .text import size_text, table

TOLERANCE = {"float32": 5e-5, "float64": 1e-11}  # times the largest number
ROWS, COLUMNS = 200, 300


class Line(NamedTuple):
    """One program's result.

    Attributes:
        name: of the program.
        error: largest difference from the host's result, of the largest number; None when it did not run.
        verdict: "ok", or what is wrong.
        seconds: of the first call, which compiles.
    """

    name: str
    error: float | None
    verdict: str
    seconds: float


class SelfTest(NamedTuple):
    """What the machine is, and how each program went.

    Attributes:
        machine: (what, value) pairs.
        lines: one per program.
    """

    machine: list[tuple[str, str]]
    lines: list[Line]

    @property
    def ok(self) -> bool:
        """Whether every program gave what it should."""
        return all(line.verdict == "ok" for line in self.lines)

    def __repr__(self) -> str:
        width = max(len(what) for what, _ in self.machine)
        head = [f"{what:<{width}}  {value}" for what, value in self.machine]
        rows = [
            [x.name, "" if x.error is None else f"{x.error:.1e}", f"{x.seconds:.2f}", x.verdict]
            for x in self.lines
        ]
        good = sum(x.verdict == "ok" for x in self.lines)
        verdict = (
            f"check: {good} of {len(self.lines)} programs as on the host  {'ok' if self.ok else 'FAILED'}"
        )
        return "\n".join(
            [*head, "", table(["program", "error", "s", "verdict"], rows, right=(1, 2)), "", verdict]
        )


# ------------------------------------------------------------------------------------------ programs
def _normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def _elementwise(x: Any, y: Any) -> Any:
    return np.sum(np.tanh(x * y) * np.exp(-x * x) + np.log1p(np.abs(y)))


def _softmax(x: Any, w: Any) -> Any:
    return np.sum(nn.softmax(x) * w)


def _layer_norm(x: Any, w: Any) -> Any:
    scale = w[0] if w.ndim > 1 else w
    centred = x - np.mean(x, axis=-1, keepdims=True)
    return np.sum(np.sin(centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5) * scale))


def _network(w1: Any, w2: Any, x: Any) -> Any:
    return np.mean((np.tanh(x @ w1) @ w2 - 0.5) ** 2)


def _gather(table: Any, weights: Any) -> Any:
    index = np.random.default_rng(3).integers(0, len(table), 5 * len(table))
    return np.sum(np.sin(table[index]) * weights[index % len(weights)])


def _running(x: Any) -> Any:
    return np.sum(np.cumsum(x, axis=1) ** 2) + np.sum(x[np.arange(len(x)), np.argmax(x, axis=1)])


def _segments(x: Any) -> Any:
    return np.sum(segment_logsumexp(x, np.array([0, 3, 4, len(x) // 2, len(x)])) ** 2)


def _likelihood(a: Any, b: Any) -> Any:
    matrix = a @ a.T / len(a) + np.eye(len(a))
    return b @ np.linalg.solve(matrix, b) + 2 * np.sum(np.log(np.diagonal(np.linalg.cholesky(matrix))))


def _scalars(x: Any) -> Any:
    for _ in range(40):
        x = x + 0.1 * np.sin(x) * np.cos(x)
    return x


PROGRAMS: list[tuple[str, Callable[..., Any], tuple[np.ndarray, ...]]] = [
    ("elementwise", _elementwise, (_normal(ROWS, COLUMNS), _normal(COLUMNS, seed=1))),
    ("softmax", _softmax, (_normal(ROWS, COLUMNS), _normal(ROWS, COLUMNS, seed=1))),
    ("layer norm, long rows", _layer_norm, (_normal(7, 5000), _normal(5000, seed=1))),
    ("network", _network, (_normal(50, 64), _normal(64, 10, seed=1), _normal(ROWS, 50, seed=2))),
    ("gather and scatter", _gather, (_normal(COLUMNS, 4), _normal(70, 4, seed=1))),
    ("running sums, positions", _running, (_normal(ROWS, COLUMNS),)),
    ("ragged rows", _segments, (_normal(COLUMNS),)),
    ("Gaussian likelihood", _likelihood, (_normal(40, 40), _normal(40, seed=1))),
    ("scalars", _scalars, (np.array(0.7),)),
]


# ------------------------------------------------------------------------------------------- running
def gpu_selftest() -> SelfTest:
    """Run the test on the current device.

    Raises:
        MissingPackageError: cupy is not installed.
        DeviceError: there is no device, or cupy cannot use it.
    """
    from .engines.gpu.device import usable

    cupy = usable()
    lines = []
    for dtype in ("float32", "float64"):
        for name, f, args in PROGRAMS:
            arrays = tuple([a.astype(dtype) for a in args])
            program = transforms.value_and_grad(f, tuple(range(len(args))))
            lines.append(_compared(cupy, f"{name}, {dtype}", program, arrays, TOLERANCE[dtype]))
    extra = (
        ("same bits in a second call", _repeats), ("training in place", _trains), ("CUDA graph", _replays),
        ("two streams", _streams), ("an index out of range is refused", _refuses),
    )  # fmt: skip
    lines += [_stated(name, lambda check=check: check(cupy)) for name, check in extra]  # type: ignore[misc]
    return SelfTest(machine_of(cupy), lines)


def machine_of(cupy: Any) -> list[tuple[str, str]]:
    """Versions, and what the device says of itself."""
    runtime, device = cupy.cuda.runtime, cupy.cuda.Device()
    properties = runtime.getDeviceProperties(device.id)
    name = properties["name"]
    return [
        ("adjoint", __version__),
        ("Python", f"{platform.python_version()}, {platform.platform()}"),
        ("NumPy, cupy", f"{np.__version__}, {cupy.__version__}"),
        ("CUDA of cupy, of the driver", f"{runtime.runtimeGetVersion()}, {runtime.driverGetVersion()}"),
        ("device", name.decode() if isinstance(name, bytes) else str(name)),
        ("compute capability", str(device.compute_capability)),
        ("memory", size_text(int(properties["totalGlobalMem"]))),
    ]


def _stated(name: str, check: Callable[[], float | None]) -> Line:
    """Run a check; whatever it raises is its verdict."""
    begun = time.perf_counter()
    try:
        error, verdict = check(), "ok"
    except Exception as failure:
        error, verdict = (
            None,
            f"{type(failure).__name__}: {str(failure).splitlines()[0] if str(failure) else ''}",
        )
    return Line(name, error, verdict, time.perf_counter() - begun)


def _compared(
    cupy: Any, name: str, f: Callable[..., Any], args: tuple[np.ndarray, ...], tolerance: float
) -> Line:
    def check() -> float:
        got = compile(f, engine="cupy")(*map(cupy.asarray, args))
        return _difference(cupy, got, f(*args))

    line = _stated(name, check)
    if line.error is not None and not line.error <= tolerance:
        return line._replace(verdict=f"beyond {tolerance:.0e}")
    return line


def _difference(cupy: Any, got: Any, want: Any) -> float:
    """The largest difference of two containers, of the largest number in each array."""
    worst = 0.0
    for a, b in zip(trees.flatten(got)[0], trees.flatten(want)[0], strict=True):
        x, y = cupy.asnumpy(a).astype(float), np.asarray(b, float)
        assert x.shape == y.shape, f"shape {x.shape} instead of {y.shape}"
        scale = max(1.0, float(np.max(np.abs(y), initial=0.0)))
        worst = max(worst, float(np.max(np.abs(x - y), initial=0.0)) / scale)
    return worst


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise AdjointError(what)


def _repeats(cupy: Any) -> float:
    f = compile(transforms.value_and_grad(_gather, (0, 1)), engine="cupy")
    args = [cupy.asarray(_normal(COLUMNS, 4).astype("f")), cupy.asarray(_normal(70, 4, seed=1).astype("f"))]
    first, second = (trees.flatten(f(*args))[0] for _ in range(2))
    same = all(bool((cupy.asnumpy(a) == cupy.asnumpy(b)).all()) for a, b in zip(first, second, strict=True))
    _expect(same, "bits differ between two calls")
    return 0.0


def _training(cupy: Any, **options: Any) -> tuple[Any, Any, Any]:
    """A few steps of Adam on the device, in place, the same on the host, and the compiled step."""
    optimizer = optim.adam(1e-2)

    def step(params: Any, state: Any, x: Any) -> Any:
        gradient = transforms.grad(lambda p: _network(p["a"], p["b"], x))(params)
        return optimizer.update(gradient, state, params)

    params = {"a": _normal(50, 64), "b": _normal(64, 10, seed=1)}
    x = _normal(ROWS, 50, seed=2)
    host: Any = (params, optimizer.init(params))
    device = trees.tree_map(cupy.asarray, host)
    compiled = compile(step, engine="cupy", donate=(0, 1), **options)
    x_device = cupy.asarray(x)
    for _ in range(5):
        host = step(host[0], host[1], x)
        device = compiled(*device, x_device)
    return device[0], host[0], compiled


def _trains(cupy: Any) -> float:
    error = _difference(cupy, *_training(cupy)[:2])
    _expect(error <= TOLERANCE["float64"], f"off by {error:.1e} after five steps")
    return error


def _replays(cupy: Any) -> float:
    device, host, compiled = _training(cupy, graphs=True)
    error = _difference(cupy, device, host)
    _expect(compiled._last.graphs.launched >= 3, "no graph was launched")
    _expect(error <= TOLERANCE["float64"], f"off by {error:.1e} after five steps")
    return error


def _streams(cupy: Any) -> float:
    f = compile(transforms.value_and_grad(_softmax, (0, 1)), engine="cupy")
    args = [_normal(ROWS, COLUMNS), _normal(ROWS, COLUMNS, seed=1)]
    want = transforms.value_and_grad(_softmax, (0, 1))(*args)
    arrays = [cupy.asarray(a) for a in args]
    cupy.cuda.get_current_stream().synchronize()
    streams, results = [cupy.cuda.Stream(non_blocking=True) for _ in range(2)], []
    for k in range(6):
        with streams[k % 2]:
            results.append(f(*arrays))
    for stream in streams:
        stream.synchronize()
    error = max(_difference(cupy, r, want) for r in results)
    _expect(error <= TOLERANCE["float64"], f"off by {error:.1e}")
    return error


def _refuses(cupy: Any) -> None:
    f = compile(lambda x, k: x[k], engine="cupy")
    try:
        f(cupy.asarray(_normal(5)), cupy.asarray(np.array([1, 7])))
    except IndexingError:
        return
    raise AdjointError("nothing was raised")
