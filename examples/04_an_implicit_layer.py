"""An implicit layer: a hidden state that solves an equation, differentiated without its iterations.

    z = tanh(A z + B x)          λ-equation  w = λ + (∂f/∂z)ᵀ w,   λ_A = (∂f/∂A)ᵀ w

The layer is fitted to a target by gradient descent. Its gradient is compared with backpropagation through 200
recorded iterations, which needs 200 times the memory, and with central differences.

Source: S. Bai, J. Z. Kolter and V. Koltun, "Deep equilibrium models", 2019, arXiv:1909.01377.
"""

import numpy as np

import adjoint as ad

rng = np.random.default_rng(1)
n, inputs = 6, 3
A = rng.normal(size=(n, n)) * 0.3 / n**0.5
B = rng.normal(size=(n, inputs))
x, target = rng.normal(size=inputs), np.tanh(rng.normal(size=n))


def layer(z, A, B):
    return np.tanh(A @ z + B @ x)


def loss(A, B):
    z = ad.fixed_point(layer, np.zeros(n), A, B)
    return np.sum((z - target) ** 2)


def unrolled_loss(A, B):
    z = np.zeros(n)
    for _ in range(200):
        z = layer(z, A, B)
    return np.sum((z - target) ** 2)


implicit, unrolled = ad.grad(loss, (0, 1))(A, B), ad.grad(unrolled_loss, (0, 1))(A, B)
gap = max(np.max(np.abs(a - b)) for a, b in zip(implicit, unrolled, strict=True))
h, direction = 1e-6, rng.normal(size=(n, n))
difference = (loss(A + h * direction, B) - loss(A - h * direction, B)) / (2 * h)
rough = abs(np.sum(implicit[0] * direction) - difference)
print(f"implicit − unrolled = {gap:.1e},  implicit − differences = {rough:.1e}")

value_and_grad = ad.value_and_grad(loss, (0, 1))
for step in range(201):
    value, (gradient_A, gradient_B) = value_and_grad(A, B)
    if step % 50 == 0:
        print(f"step {step:3d}   loss {value:.3e}")
    A, B = A - 0.1 * gradient_A, B - 0.1 * gradient_B

# the equation can be solved by any means: Newton's method gives the same z and the same derivatives
by_newton = ad.grad(
    lambda A: np.sum((ad.root(lambda z, A: layer(z, A, B) - z, np.zeros(n), A) - target) ** 2)
)(A)
same = np.max(np.abs(by_newton - ad.grad(loss)(A, B)))
ok = gap < 1e-10 and rough < 1e-7 and same < 1e-9 and value < 1e-4
print(
    f"check: implicit = unrolled to {gap:.1e}, = Newton to {same:.1e}, loss {value:.1e}  "
    f"{'ok' if ok else 'FAILED'}"
)
