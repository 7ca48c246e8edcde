"""Networks over arrays of cupy train as over NumPy's, eagerly and as CUDA programs; their state is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import adjoint as ad
from adjoint import nn, optim
from adjoint import tree as trees
from adjoint.errors import DTypeError, IndexingError
from tests.cuda_emulator.cupy_standin import CONTROL
from tests.cupy_cases import CASES
from tests.device_programs import fetched, sent, stay
from tests.engines.gpu.machine import EAGER, MACHINES, machine

from ..helpers import message, normal, points_at, rng

DOUBLE = {"dtype": np.float64}  # in float32 Adam makes steps of what rounding leaves of attention's b


@pytest.fixture(scope="module", params=EAGER)
def cupy(request: pytest.FixtureRequest) -> Iterator[Any]:
    with machine(request.param) as module:
        yield module


# ------------------------------------------------------------------------------------------ three networks
def classified(params: Any, x: Any, labels: Any) -> Any:
    hidden = nn.gelu(nn.dense(params["hidden"], x))
    return nn.cross_entropy(nn.dense(params["output"], hidden), labels, smoothing=0.1)


def transformed(params: Any, tokens: Any, following: Any, valid: Any) -> Any:
    x = nn.embedding(params["letters"], tokens)
    seen = valid[:, None, None, :]
    x = x + nn.attention(params["attention"], nn.layer_norm(params["norm_1"], x), 2, causal=True, mask=seen)
    x = x + nn.dense(params["down"], nn.silu(nn.dense(params["up"], nn.rms_norm(params["norm_2"], x))))
    return nn.cross_entropy(nn.dense(params["output"], x), following, mask=valid)


def recurrent(params: Any, xs: Any, targets: Any, start: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        h = nn.gru_cell(params["gru"], h, x)
        return h, h

    return nn.mse(nn.dense(params["output"], ad.scan(step, start, xs)[0]), targets)


class Network(NamedTuple):
    loss: Callable[..., Any]
    params: Any
    data: tuple[Any, ...]
    optimizer: optim.Optimizer


NETWORKS = {
    "mlp": Network(
        classified,
        {"hidden": nn.init_dense(rng(), 4, 8, **DOUBLE), "output": nn.init_dense(rng(1), 8, 3, **DOUBLE)},
        (normal(8, 4), rng(2).integers(0, 3, 8)),
        optim.adam(optim.warmup_cosine(0.05, 8, warmup=2)),
    ),
    "transformer": Network(
        transformed,
        {
            "letters": nn.init_embedding(rng(), 7, 8, **DOUBLE),
            "norm_1": nn.init_layer_norm(8, **DOUBLE),
            "attention": nn.init_attention(rng(1), 8, **DOUBLE),
            "norm_2": nn.init_rms_norm(8, **DOUBLE),
            "up": nn.init_dense(rng(2), 8, 16, **DOUBLE),
            "down": nn.init_dense(rng(3), 16, 8, **DOUBLE),
            "output": nn.init_dense(rng(4), 8, 7, **DOUBLE),
        },
        (rng(5).integers(0, 7, (2, 5)), rng(6).integers(0, 7, (2, 5)), np.arange(5) < np.array([[5], [3]])),
        optim.adamw(optim.exponential(0.02, 0.9), weight_decay=0.1),
    ),
    "gru": Network(
        recurrent,
        {"gru": nn.init_gru(rng(), 4, 6, **DOUBLE), "output": nn.init_dense(rng(1), 6, 2, **DOUBLE)},
        (normal(5, 3, 4), normal(3, 2), np.zeros((3, 6))),
        optim.momentum(optim.cosine(0.1, 8), nesterov=True),
    ),
}


def step_of(network: Network) -> Callable[..., Any]:
    clip = optim.clip_by_global_norm(0.5)

    def step(params: Any, state: Any, *data: Any) -> Any:
        value, gradient = ad.value_and_grad(network.loss)(params, *data)
        return *network.optimizer.update(clip(gradient), state, params), value

    return step


def trained(step: Callable[..., Any], params: Any, state: Any, data: Any, count: int = 4) -> Any:
    """Parameters and state after some steps, and the loss before each."""
    values = []
    for _ in range(count):
        params, state, value = step(params, state, *data)
        values.append(value)
    return params, state, values


def agree(cupy: Any, got: Any, want: Any) -> None:
    for a, b in zip(trees.flatten(fetched(cupy, got))[0], trees.flatten(want)[0], strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


def trains(cupy: Any, network: Network, compiled: bool, path: Path) -> None:
    """As on the host; from a file, too, which gives arrays of the host that are to be sent."""
    plain = step_of(network)
    step = ad.compile(plain, engine="cupy", donate=(0, 1)) if compiled else plain
    params, data = sent(cupy, network.params), sent(cupy, network.data)
    want = trained(plain, network.params, network.optimizer.init(network.params), network.data)
    got = trained(step, params, network.optimizer.init(params), data)
    stay(cupy, got[0], want[0])
    agree(cupy, got, want)
    ad.save(path, (got[0], tuple(got[1])))
    saved_params, saved = ad.load(path)
    state = type(want[1])(*saved)
    with pytest.raises(DTypeError, match=r"state/1/.*on the host|not state/1/.*of the host"):
        step(sent(cupy, saved_params), state, *data)
    again = trained(step, sent(cupy, saved_params), sent(cupy, state), data, 2)
    agree(cupy, again, trained(plain, *want[:2], network.data, 2))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_trains_eagerly(name, cupy, tmp_path):
    trains(cupy, NETWORKS[name], False, tmp_path / "state.npz")


@pytest.mark.parametrize("cupy", MACHINES, indirect=True)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_trains_as_one_program(name, cupy, tmp_path):
    trains(cupy, NETWORKS[name], True, tmp_path / "state.npz")


@pytest.mark.parametrize("cupy", MACHINES[:1], indirect=True)
def test_a_step_of_a_recurrent_network_copies_nothing_to_the_host(cupy):
    network = NETWORKS["gru"]
    step = ad.compile(step_of(network), engine="cupy", donate=(0, 1))
    params, data = sent(cupy, network.params), sent(cupy, network.data)
    params, state, _ = step(params, network.optimizer.init(params), *data)
    before = CONTROL.counts.device_to_host
    trained(step, params, state, data)
    assert CONTROL.counts.device_to_host == before


@pytest.mark.parametrize("cupy", MACHINES, indirect=True)
@pytest.mark.parametrize("part", ["adjoint.nn", "adjoint.optim"])
def test_all_of_a_part_as_one_program(part, cupy):
    """Values and gradients of every layer and loss, three steps of every optimizer, by kernels alone."""
    cases = CASES[part]
    args = {name: args for name, (_, args) in cases.items()}

    def everything(args: Any) -> Any:
        return {name: f(*args[name]) for name, (f, _) in cases.items()}

    compiled = ad.compile(everything, engine="cupy")
    got, want = compiled(sent(cupy, args)), everything(args)
    stay(cupy, got, want)
    for name in cases:
        for a, b in zip(
            trees.flatten(fetched(cupy, got[name]))[0], trees.flatten(want[name])[0], strict=True
        ):
            assert a.dtype == b.dtype, name
            np.testing.assert_allclose(a, b, rtol=3e-5, atol=3e-6, err_msg=name)  # of float32
    assert not compiled.explain().programs[0].fallbacks


# ------------------------------------------------------------------------------------------ randomness
class Drawing:
    """cupy's Generator, as far as layers ask it: what it draws is on the device."""

    def __init__(self, cupy: Any, seed: int) -> None:
        self.cupy, self.numbers = cupy, rng(seed)

    def random(self, shape: Any) -> Any:
        return self.cupy.asarray(self.numbers.random(shape))

    def uniform(self, low: float, high: float, shape: Any) -> Any:
        return self.cupy.asarray(self.numbers.uniform(low, high, shape))

    def standard_normal(self, shape: Any) -> Any:
        return self.cupy.asarray(self.numbers.standard_normal(shape))


def test_dropout_draws_for_arrays_of_a_device(cupy):
    """NumPy's numbers are sent, cupy's are there; for x of the host, cupy's are refused."""
    x = normal(4, 5)
    want = nn.dropout(x, 0.4, rng())
    for generator in (rng(), Drawing(cupy, 0)):
        got = nn.dropout(cupy.asarray(x), 0.4, generator)
        agree(cupy, [got], [want])
        assert isinstance(got, cupy.ndarray)
    text = message(DTypeError, nn.dropout, x, 0.4, Drawing(cupy, 0))
    assert "where got an array of the host and one of the device" in text


def test_parameters_that_cupy_draws_are_all_there(cupy):
    for init in (nn.init_dense, nn.init_conv2d, nn.init_embedding, nn.init_gru, nn.init_lstm):
        got, want = init(Drawing(cupy, 0), 3, 4), init(rng(), 3, 4)
        stay(cupy, got, want)
        agree(cupy, got, want)
    got, want = nn.init_attention(Drawing(cupy, 0), 8), nn.init_attention(rng(), 8)
    stay(cupy, got, want)
    agree(cupy, got, want)


# ------------------------------------------------------------------------------------------ both sides
def test_a_mixture_is_named_by_the_layers_own_words(cupy):
    params, x = nn.init_attention(rng(), 8), normal(2, 5, 8)
    text = message(DTypeError, lambda: nn.attention(sent(cupy, params), x, 2))
    assert text.startswith("attention got an array of the host and one of the device")
    assert "x: (2, 5, 8) float64, on the host;  params/output/W: (8, 8) float32 and 3 more, on" in text
    assert text.endswith("Send what is on the host there once, before the computation: cupy.asarray(x).")
    assert points_at(text, "nn.attention(sent(cupy, params), x, 2)")
    text = message(DTypeError, lambda: nn.attention(params, cupy.asarray(x), 2))
    assert text.endswith("before the computation: ad.tree_map(cupy.asarray, params).")


def test_a_mixture_within_a_gradient_names_it_too(cupy):
    labels = np.array([0, 2])
    text = message(DTypeError, ad.grad(lambda z: nn.cross_entropy(z, labels)), cupy.asarray(normal(2, 3)))
    assert "labels: (2,) int64, on the host;  logits: (2, 3) float64, on the device" in text


def test_indices_beyond_the_end_are_refused(cupy: Any) -> None:
    """cupy alone would wrap them around, without a word."""
    z, W = cupy.asarray(normal(2, 3)), cupy.asarray(np.eye(3))
    text = message(IndexingError, nn.cross_entropy, z, cupy.asarray([0, 3]))
    assert "labels from 0 to 2, got 3" in text
    for tokens in ([0, 5], [0, -5]):
        text = message(IndexingError, nn.embedding, {"W": W}, cupy.asarray(tokens))
        assert "embedding needs tokens below 3, got 5" in text
