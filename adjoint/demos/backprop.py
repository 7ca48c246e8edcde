"""Backpropagation as a Lagrangian: train a network on handwritten digits, then read its multipliers.

The network and its loss are plain NumPy. One adjoint sweep gives the multiplier of every constraint
h = tanh(x W + b); those of the parameters are the gradient, nearly zero once the network is trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import adjoint as ad
from adjoint.data import Split, digits_split

SIZES = (64, 64, 32, 10)
EPOCHS, BATCH, RATE = 40, 64, 3e-3

Parameters = dict[str, dict[str, np.ndarray]]


def initialise(rng: np.random.Generator) -> Parameters:
    """One W (inputs, outputs) and b (outputs,) per layer."""
    return {
        f"layer{k}": {"W": rng.normal(size=(i, o)) / i**0.5, "b": np.zeros(o)}
        for k, (i, o) in enumerate(pairwise(SIZES), start=1)
    }


def logits(parameters: Parameters, x: np.ndarray) -> np.ndarray:
    """Scores (n, 10) of images x (n, 64)."""
    h = x
    *hidden, last = parameters
    for layer in hidden:
        with ad.scope(layer):
            h = ad.name(np.tanh(h @ parameters[layer]["W"] + parameters[layer]["b"]), "h")
    with ad.scope(last):
        return ad.name(h @ parameters[last]["W"] + parameters[last]["b"], "scores")


def loss(parameters: Parameters, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean cross-entropy of labels y (n,)."""
    z = logits(parameters, x)
    z = z - np.max(z, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(len(y)), y])


def accuracy(parameters: Parameters, x: np.ndarray, y: np.ndarray) -> float:
    """Share of images classified correctly."""
    return float(np.mean(np.argmax(logits(parameters, x), axis=1) == y))


def train(data: Split, rng: np.random.Generator, on_epoch: Callable[[int, float], None]) -> Parameters:
    """Adam (Kingma and Ba 2015) on minibatches; `on_epoch(epoch, loss)` reports."""
    value_and_grad = ad.value_and_grad(loss)
    parameters = initialise(rng)
    mean = square = ad.tree_map(np.zeros_like, parameters)
    step = 0
    for epoch in range(1, EPOCHS + 1):
        order = rng.permutation(len(data.train_y))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            value, gradient = value_and_grad(parameters, data.train_x[batch], data.train_y[batch])
            step += 1
            mean = ad.tree_map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
            square = ad.tree_map(lambda s, g: 0.999 * s + 0.001 * g * g, square, gradient)
            scale, root = RATE / (1 - 0.9**step), (1 - 0.999**step) ** 0.5

            def update(w: Any, m: Any, s: Any, scale: float = scale, root: float = root) -> Any:
                return w - scale * m / (np.sqrt(s) / root + 1e-8)

            parameters = ad.tree_map(update, parameters, mean, square)
        on_epoch(epoch, float(value))
    return parameters


def rounding(w: np.ndarray, bits: int = 8) -> np.ndarray:
    """Residual of rounding w to signed integers of so many bits with one scale."""
    scale = np.max(np.abs(w)) / (2 ** (bits - 1) - 1)
    return np.round(w / scale) * scale - w


class Result(NamedTuple):
    """What the demonstration found."""

    accuracy: float
    multipliers: ad.Multipliers
    certificate: ad.Certificate
    perturbation: ad.Perturbation
    latex: str


def examine(parameters: Parameters, data: Split) -> Result:
    """Record the training loss once, and ask its Lagrangian everything."""
    with ad.Tape() as tape:
        recorded = tape.parameter(parameters)
        total = ad.name(loss(recorded, data.train_x, data.train_y), "loss")
    lagrangian = ad.Lagrangian(tape, total)
    residuals = {layer["W"]: rounding(layer["W"].value) for layer in recorded.values()}
    return Result(
        accuracy(parameters, data.test_x, data.test_y),
        lagrangian.multipliers,
        lagrangian.residuals(),
        lagrangian.perturb(residuals),
        lagrangian.latex(),
    )


def run(console: Console, seed: int = 0) -> bool:
    """Train, examine, print; true when accuracy, certificate and prediction are as promised."""
    rng = np.random.default_rng(seed)
    data = digits_split(rng)
    console.print(
        f"[bold]Training[/] {'-'.join(map(str, SIZES))} on {len(data.train_y)} digits, "
        f"{len(data.test_y)} held out"
    )
    start = time.perf_counter()
    columns = (
        TextColumn("epoch {task.completed:>2.0f}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("training", total=EPOCHS, loss=float("nan"))
        parameters = train(data, rng, lambda epoch, value: progress.update(task, completed=epoch, loss=value))
    result = examine(parameters, data)
    elapsed = time.perf_counter() - start
    steps = EPOCHS * -(-len(data.train_y) // BATCH)
    console.print(
        f"held-out accuracy [bold]{100 * result.accuracy:.1f} %[/] after {steps} steps, {elapsed:.1f} s\n"
    )

    show(
        console,
        "Multipliers: λ = dℓ/dε if z = f + ε. Those of W and b are the gradient.",
        result.multipliers.table(),
    )
    show(console, "Certificate", repr(result.certificate))
    show(
        console,
        "Weights rounded to 8 bits: what the multipliers predict, and what happens",
        repr(result.perturbation),
    )
    show(console, "The Lagrangian of this very program, in LaTeX", result.latex)

    ok = result.accuracy >= 0.96 and result.certificate.holds and result.perturbation.relative_error <= 0.1
    console.print(
        f"check: accuracy {100 * result.accuracy:.1f} % (≥ 96), "
        f"stationarity {result.certificate.stationarity:.1e} (≤ 1e-10), "
        f"predicted Δℓ off by {100 * result.perturbation.relative_error:.1f} % (≤ 10)  "
        f"{'ok' if ok else 'FAILED'}",
        highlight=False,
        soft_wrap=True,
    )
    return ok


def show(console: Console, title: str, text: str) -> None:
    """A report under its title, as it is."""
    console.print(f"[bold]{title}[/]")
    console.print(escape(text) + "\n", highlight=False, soft_wrap=True)
