"""The language model as plain NumPy text, its optimizer written out, and the data of the bench.

`np` may be another library's namespace (`read_as`). The recurrence is a loop; who has a better one
(`scan`, a fused layer) uses that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy as real  # data stay NumPy's whatever `np` is replaced by

PAD, END = 0, 1
RATE, DECAY, CLIP, KEEP, LOUD = 2e-3, 0.01, 1.0, 0.7, 1.6
B1, B2, EPS = 0.9, 0.999, 1e-8
CHECKED = 6  # first steps whose losses are compared

Batch = tuple[Any, Any, Any]  # tokens (T, N) int32, and two masks of dropout (1, N, units)


class Data(NamedTuple):
    """First parameters, and batches that take turns."""

    params: dict[str, Any]
    batches: list[Batch]

    @property
    def words(self) -> float:
        """Words and ends per batch, padding left out."""
        return float(real.mean([real.sum(tokens != PAD) for tokens, *_ in self.batches]))


def data(params: dict[str, Any], T: int, N: int, units: int, count: int = 4) -> Data:
    """Batches of words in the frequencies of a language (Zipf), sentences of T − 8 to T words."""
    rng = real.random.default_rng(0)
    vocabulary = len(params["bias"])
    p = 1 / real.arange(1, vocabulary - 2 + 1)
    batches = []
    for _ in range(count):
        tokens = rng.choice(real.arange(2, vocabulary), (T, N), p=p / p.sum()).astype(real.int32)
        ends = rng.integers(T - 8, T, N)
        at = real.arange(T)[:, None]
        tokens = real.where(at < ends, tokens, real.where(at == ends, END, PAD)).astype(real.int32)
        batches.append((tokens, *(rng.random((1, N, units)) < KEEP for _ in range(2))))
    return Data(params, batches)


def loss(params: Any, tokens: Any, inner: Any, outer: Any) -> Any:
    """Mean of −log p of the words, with dropout of the recurrence's inputs and outputs."""
    E, b = params["embedding"]["W"], params["bias"]
    gates, state = params["gru"]["input"], params["gru"]["state"]
    n = E.shape[1]
    before = real.concatenate([real.full((1, tokens.shape[1]), END), tokens[:-1]])
    xs = np.where(inner, E[before] * (LOUD * n**0.5) / KEEP, 0.0) @ gates["W"] + gates["b"]
    h, hs = np.zeros((tokens.shape[1], n)), []
    for t in range(len(tokens)):
        x, s = xs[t], h @ state["W"] + state["b"]
        r = 1 / (1 + np.exp(-(x[:, :n] + s[:, :n])))
        u = 1 / (1 + np.exp(-(x[:, n : 2 * n] + s[:, n : 2 * n])))
        h = (1 - u) * np.tanh(x[:, 2 * n :] + r * s[:, 2 * n :]) + u * h
        hs.append(h)
    z = np.where(outer, np.stack(hs) / KEEP, 0.0) @ E.T + b
    z = z - np.max(z, axis=-1, keepdims=True)
    T, N = real.indices(tokens.shape)
    nats = np.log(np.sum(np.exp(z), axis=-1)) - z[T, N, tokens]
    counts = tokens != PAD
    return np.sum(nats * counts) / real.sum(counts)


def adamw(params: Sequence[Any], gradients: Sequence[Any], m: list[Any], v: list[Any], t: int) -> list[Any]:
    """One update of a list of arrays, the gradient shortened to norm CLIP first; m and v in place."""
    norm = real.sqrt(sum(real.sum(g * g) for g in gradients))
    new = []
    for k, (p, g) in enumerate(zip(params, gradients, strict=True)):
        g = g * min(1.0, CLIP / (norm + 1e-6))
        m[k] = B1 * m[k] + (1 - B1) * g
        v[k] = B2 * v[k] + (1 - B2) * g * g
        step = (m[k] / (1 - B1**t)) / (real.sqrt(v[k] / (1 - B2**t)) + EPS)
        new.append(p - RATE * DECAY * p - RATE * step)
    return new


def turns(step: Callable[[Batch], Any], batches: Sequence[Batch]) -> Callable[[], Any]:
    """A run for the harness: the first call gives the losses of the first steps, later ones make one step."""
    done = [0]

    def one() -> Any:
        done[0] += 1
        return step(batches[(done[0] - 1) % len(batches)])

    def run() -> Any:
        if done[0]:
            return (one(),)
        return ([float(one()) for _ in range(CHECKED)],)

    return run
