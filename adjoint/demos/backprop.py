"""Backpropagation as a Lagrangian: train a network on handwritten digits, then read its multipliers.

The network and its loss are plain NumPy. One adjoint sweep gives the multiplier of every constraint
h = tanh(x W + b); those of the parameters are the gradient, nearly zero once the network is trained. Loss,
sweep and Adam's update are compiled to one program, which the training replays.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

import adjoint as ad
from adjoint import optim
from adjoint.data import Split, digits_split

SIZES = (64, 64, 32, 10)
EPOCHS, BATCH, RATE = 40, 64, 3e-3

Parameters = dict[str, dict[str, np.ndarray]]
Step = Callable[..., Any]  # `update`, compiled or not


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


adam = optim.adam(RATE)


def update(
    parameters: Parameters, state: optim.AdamState, x: np.ndarray, y: np.ndarray
) -> tuple[Parameters, optim.AdamState, np.ndarray]:
    """One step on images x (n, 64) and labels y (n,): new parameters, new state, loss before the step."""
    value, gradient = ad.value_and_grad(loss)(parameters, x, y)
    return *adam.update(gradient, state, parameters), value


def train(
    step: Step, data: Split, rng: np.random.Generator, on_epoch: Callable[[int, float], None]
) -> Parameters:
    """Minibatches in random order, all of one size; `on_epoch(epoch, loss)` reports."""
    parameters = initialise(rng)
    state = adam.init(parameters)
    for epoch in range(1, EPOCHS + 1):
        order = rng.permutation(len(data.train_y))
        for start in range(0, len(order) - BATCH + 1, BATCH):  # a smaller rest would be a program of its own
            batch = order[start : start + BATCH]
            parameters, state, value = step(parameters, state, data.train_x[batch], data.train_y[batch])
        on_epoch(epoch, float(value))
    return parameters


class Speed(NamedTuple):
    """Median seconds per step."""

    compiled: float
    eager: float


def measure(step: Step, parameters: Parameters, data: Split, rounds: int = 50) -> Speed:
    """Time the compiled step beside the eager one, in turns, so that both meet the same machine."""
    x, y = data.train_x[:BATCH], data.train_y[:BATCH]
    states: dict[Step, tuple[Any, Any]] = {
        f: (ad.tree_map(np.copy, parameters), adam.init(parameters)) for f in (step, update)
    }
    seconds: dict[Step, list[float]] = {f: [] for f in states}
    for _ in range(rounds):
        for f in (step, update):
            begun = time.perf_counter()
            w, state, _ = f(*states[f], x, y)
            states[f] = w, state
            seconds[f].append(time.perf_counter() - begun)
    return Speed(float(np.median(seconds[step])), float(np.median(seconds[update])))


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
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("compiling the training step", total=EPOCHS)

        def compiled(text: str) -> None:
            progress.console.print(text, highlight=False, soft_wrap=True)
            progress.update(task, description="training")

        def epoch_done(epoch: int, value: float) -> None:
            progress.update(task, completed=epoch, description=f"epoch {epoch:>2}, loss {value:.4f}")

        step = ad.compile(update, donate=(0, 1), callback=compiled)
        parameters = train(step, data, rng, epoch_done)
    elapsed = time.perf_counter() - start
    speed, result = measure(step, parameters, data), examine(parameters, data)
    steps = EPOCHS * (len(data.train_y) // BATCH)
    console.print(
        f"held-out accuracy [bold]{100 * result.accuracy:.1f} %[/] "
        f"after {steps} steps, {elapsed:.1f} s in all\n"
        f"one step takes {1e6 * speed.compiled:.0f} µs compiled, {1e6 * speed.eager:.0f} µs eagerly "
        f"({speed.eager / speed.compiled:.1f}×)\n"
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
