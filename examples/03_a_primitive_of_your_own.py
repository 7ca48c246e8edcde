"""A primitive of your own: one registration, checked in both modes and to second order.

    Lambert W: the real solution of  w eʷ = x  for x > −1/e,      dw/dx = w / (x (1 + w)) = e⁻ʷ / (1 + w)

SciPy computes it, so plain NumPy code cannot be recorded through it: the library needs its derivative. As a
row of the table the derivative is written once, and tangent, adjoint and all higher orders follow. The second
registration shows a structured primitive, a cyclic correlation by FFT, with only its adjoint given: the
tangent is its transpose.
"""

import numpy as np
from scipy.special import lambertw

import adjoint as ad
from adjoint import check

lambert = ad.elementwise(
    "lambert_w",
    lambda m, x: lambertw(x).real,
    lambda m, x, w: m.exp(-w) / (1 + w),
    domain=[(0.1, 5.0)],
)

x = np.array([0.5, 1.0, np.e])
w = lambert(x)
print("w eʷ − x =", np.max(np.abs(w * np.exp(w) - x)))
print("dw/dx    =", ad.elementwise_grad(lambert)(x))
print("d²w/dx²  =", ad.elementwise_grad(ad.elementwise_grad(lambert))(x))


def correlate(x, kernel):
    return np.real(np.fft.ifft(np.fft.fft(x) * np.conj(np.fft.fft(kernel))))


def reversed_cyclically(x):
    return np.roll(np.flip(x), 1)


correlation = ad.primitive(
    "cyclic_correlation",
    correlate,
    adjoint=lambda args, z, lam: (
        correlation(lam, reversed_cyclically(args[1])),  # convolution of λ with the kernel
        correlation(args[0], lam),
    ),
)

signal, kernel = np.random.default_rng(0).normal(size=(2, 8))
reports = [check.rule(lambert), check.rule(correlation, signal, kernel)]
for report in reports:
    print(f"{report.subject}: {len(report.findings)} checks, {len(report.failures)} failed")

# independent of the rules: w'(1) in closed form, Ω / (1 + Ω) with Ω = W(1)
omega = 0.5671432904097838
error = abs(ad.grad(lambert)(1.0) - omega / (1 + omega))
ok = all(reports) and error < 1e-15
print(f"check: |dW/dx(1) − Ω/(1 + Ω)| = {error:.1e}, both primitives pass  {'ok' if ok else 'FAILED'}")
