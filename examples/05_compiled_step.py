"""A compiled training step: loss, adjoint sweep, a named multiplier and Adam's update as one program.

    minimise  mean (f(x) − y)²,   f two layers of tanh,   y = sin(3 x₀) x₁ on [−1, 1]²

`ad.compile` traces the step once, with shapes alone, and emits kernels for this processor; every further call
replays them. What it computes is what the plain function computes: the check runs both.

Source: D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", 2015.
"""

import time

import numpy as np

import adjoint as ad
from adjoint import nn, optim

rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, (256, 2)).astype(np.float32)
y = (np.sin(3 * x[:, 0]) * x[:, 1])[:, None]
start = [nn.init_dense(rng, i, o) for i, o in ((2, 32), (32, 32), (32, 1))]
adam = optim.adam(optim.cosine(1e-2, 1000))


def predict(layers, x):
    *hidden, last = layers
    for layer in hidden:
        x = np.tanh(nn.dense(layer, x))
    return nn.dense(last, x)


def loss(layers, x, y):
    error = ad.name(predict(layers, x) - y, "error")
    return np.mean(error**2)


def step(layers, state, x, y):
    value, gradient, multipliers = ad.with_multipliers(loss, "error")(layers, x, y)
    return *adam.update(gradient, state, layers), value, multipliers["error"]


def train(step, count):
    """Losses, parameters at the end, and median seconds per step."""
    layers = ad.tree_map(np.copy, start)  # a donated array is written over
    state, losses, seconds = adam.init(layers), [], []
    for _ in range(count):
        begun = time.perf_counter()
        layers, state, value, _ = step(layers, state, x, y)
        seconds.append(time.perf_counter() - begun)
        losses.append(value)
    return np.array(losses), layers, np.median(seconds)


compiled = ad.compile(step, donate=(0, 1), callback=print)
losses, layers, fast = train(compiled, 1000)
eager, _, slow = train(step, 30)
print(compiled.explain())
print(f"loss {losses[0]:.4f} → {losses[-1]:.6f} in {len(losses)} steps")
print(f"a step takes {1e6 * fast:.0f} µs compiled, {1e6 * slow:.0f} µs eagerly: {slow / fast:.1f}×")

# λ of the error is dℓ/d(error) = 2 error / n: the multipliers show on which points the fit still errs
error = predict(layers, x) - y
lam = compiled(layers, adam.init(layers), x, y)[3]
print("largest |λ| at", *(f"({a:.2f}, {b:.2f})" for a, b in x[np.argsort(-np.abs(lam[:, 0]))[:3]]))

differ, off = np.max(np.abs(losses[:30] / eager - 1)), np.max(np.abs(lam - 2 * error / len(x)))
ok = differ < 1e-4 and off < 1e-6 and losses[-1] < 0.02 * losses[0]
print(f"check: losses differ by {differ:.1e}, |λ − 2 error / n| ≤ {off:.1e}  {'ok' if ok else 'FAILED'}")
