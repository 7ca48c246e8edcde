"""Gradients of gradients: Newton's method with exact second derivatives, and a derivative taken through it.

    Rosenbrock   f(x) = Σ 100 (x_{k+1} − x_k²)² + (1 − x_k)²      minimum 0 at x = 1

A Hessian is the tangent sweep of an adjoint sweep: transforms compose, nothing else is needed.

Source: H. H. Rosenbrock, "An automatic method for finding the greatest or least value of a function", 1960.
"""

import numpy as np

import adjoint as ad


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


x = np.array([1.5, -0.5, 0.8, 2.0])
gradient, hessian = ad.grad(rosenbrock), ad.hessian(rosenbrock)
for step in range(50):
    g = gradient(x)
    print(f"step {step:2d}   f = {rosenbrock(x):.3e}   ‖∇f‖ = {np.linalg.norm(g):.3e}")
    if np.linalg.norm(g) < 1e-10:
        break
    curvature, directions = np.linalg.eigh(hessian(x))
    move = -directions @ ((directions.T @ g) / np.maximum(np.abs(curvature), 1e-3))
    length = 1.0
    while rosenbrock(x + length * move) > rosenbrock(x) + 1e-4 * length * g @ move:
        length /= 2
    x = x + length * move

# the Hessian from three compositions, and from differences of the exact gradient
point, v = np.array([0.3, -0.7, 1.1, 0.2]), np.array([1.0, -2.0, 0.5, 1.5])
forward_over_reverse = ad.hvp(rosenbrock, point, v)
reverse_over_reverse = ad.grad(lambda z: np.dot(ad.grad(rosenbrock)(z), v))(point)
reverse_over_forward = ad.grad(lambda z: ad.jvp(rosenbrock, (z,), (v,))[1])(point)
h = 1e-5
differences = (gradient(point + h * v) - gradient(point - h * v)) / (2 * h)
exact = max(
    np.max(np.abs(forward_over_reverse - other)) for other in (reverse_over_reverse, reverse_over_forward)
)
rough = np.max(np.abs(forward_over_reverse - differences))
fifth = ad.grad(ad.grad(ad.grad(ad.grad(ad.grad(np.sin)))))(0.4)
print(f"three ways to ∇²f v differ by {exact:.1e}, from differences by {rough:.1e}")
print(f"fifth derivative of sin at 0.4, less cos(0.4): {fifth - np.cos(0.4):.1e}")
ok = np.allclose(x, 1) and exact < 1e-11 and rough < 1e-4 and abs(fifth - np.cos(0.4)) < 1e-14
print(f"check: minimum at 1 to {np.max(np.abs(x - 1)):.1e}  {'ok' if ok else 'FAILED'}")
