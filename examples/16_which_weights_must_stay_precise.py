"""Eight bits for the weights of a digits network: which layer pays for it, and which should stay precise?

Rounding is a residual r in the constraint z = f + r, and λ says what a residual does to the loss:

    Δℓ ≈ Σ_i ½(λ⁰_i + λ¹_i)ᵀ r_i,   λ⁰ before and λ¹ after the change; errs in third order

So one rounding of everything ranks the layers. The example keeps each layer in turn and measures; and it
holds what is said of float32 against the same program run in float32.

Source: R. Becker and R. Rannacher, "An optimal control approach to a posteriori error estimation", 2001.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import adjoint as ad
from adjoint import changes, nn, optim
from adjoint.data import digits_split

rng = np.random.default_rng(0)
data = digits_split(rng)
x, y = data.train_x, data.train_y
adam = optim.adam(3e-3)


def loss(layers, x, y):
    *hidden, last = layers
    for name in hidden:
        with ad.scope(name):
            x = ad.name(np.tanh(nn.dense(layers[name], x)), "h")
    with ad.scope(last):
        return nn.cross_entropy(ad.name(nn.dense(layers[last], x), "scores"), y)


def step(layers, state, x, y):
    value, gradient = ad.value_and_grad(loss)(layers, x, y)
    return *adam.update(gradient, state, layers), value


sizes = {"layer1": (64, 48), "layer2": (48, 24), "layer3": (24, 10)}
layers = {name: nn.init_dense(rng, *size) for name, size in sizes.items()}
compiled, state = ad.compile(step, donate=(0, 1)), adam.init(layers)
for _ in range(600):
    batch = rng.integers(len(x), size=64)
    layers, state, value = compiled(layers, state, x[batch].astype(np.float32), y[batch])

weights = [f"{name}/W" for name in layers]
int8 = changes.quantize(8, at="*/W")  # −127 … 127, one scale for each W
found = ad.explain_difference(loss, int8, layers, x, y)
print(found)

shares = {cause.label: cause.contribution for cause in found.causes}
measured = {}
for kept in weights:
    others = changes.quantize(8, at=[w for w in weights if w != kept])
    measured[kept] = ad.explain_difference(loss, others, layers, x, y).measured
    print(f"{kept} kept: Δℓ {measured[kept]:.2e} measured, {found.predicted - shares[kept]:.2e} predicted")
best = min(measured, key=measured.get)
ranked = max(shares, key=shares.get)  # what raises the loss most
print(f"the layer to keep: {ranked} by its share, {best} by trying all\n")

single = ad.explain_difference(loss, changes.precision("float32"), layers, x, y)
print(single.table(6))
double = ad.tree_map(lambda w: w.astype(np.float64), layers)  # the weights are float32 already
true = float(loss(layers, x.astype(np.float32), y)) - float(loss(double, x, y))

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
ad.draw(found).save(folder / "rounding.svg")
print("picture:", folder / "rounding.svg")
error, off = found.perturbation.relative_error, abs(single.measured / true - 1)
ok = best == ranked and error < 0.1 and off < 0.01
print(f"check: Δℓ predicted within {100 * error:.1f} %, float32 within {off:.0e}  {'ok' if ok else 'FAILED'}")
