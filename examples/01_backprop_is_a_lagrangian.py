"""Backprop as a Lagrangian, in plain NumPy: the multipliers of a small network in three ways.

    minimise ℓ(z_N)   subject to   z_i = f_i(z_<i, W)           L = ℓ + Σ λ_iᵀ (f_i − z_i)

1. the adjoint sweep;
2. the linear system (I − J)ᵀ λ = ∇ℓ, J the block matrix of all ∂f_i/∂z_j, solved by SciPy;
3. the definition λ_i = dℓ/dε with z_i = f_i + ε, by injecting residuals and solving the constraints again.

Source: Y. LeCun, "A theoretical framework for back-propagation", 1988.
"""

import numpy as np
from scipy.linalg import solve

import adjoint as ad

rng = np.random.default_rng(0)
x, y = rng.normal(size=3), rng.normal(size=2)
W1, W2 = rng.normal(size=(4, 3)), rng.normal(size=(2, 4))

with ad.Tape() as tape:  # the program, recorded as constraints
    a, b = tape.parameter(W1, name="W1"), tape.parameter(W2, name="W2")
    h = ad.name(np.tanh(a @ x), "h")
    loss = ad.name(np.sum((b @ h - y) ** 2), "loss")

lam = ad.Lagrangian(tape, loss).multipliers  # 1. the sweep

# 2. the same from one linear system over all constraints at once, its blocks from the *tangent* rules
start = np.cumsum([0, *(np.size(z) for z in tape.values)])
system = np.eye(start[-1])
for i, op in enumerate(tape.operations):
    for p in {p for p in tape.parents[i] if p >= 0}:
        for k, e in enumerate(np.eye(np.size(tape.values[p]))):
            dots = [e.reshape(np.shape(tape.values[p])) if q == p else None for q in tape.parents[i]]
            column = op.tangent(tape.operands(i), tape.values[i], dots, **tape.params[i])
            system[start[i] : start[i + 1], start[p] + k] -= np.ravel(column)
right = np.zeros(start[-1])
right[start[loss.index]] = 1.0
solved = solve(system.T, right)

# 3. relax one constraint at a time, and solve those below it again
eps, injected = 1e-6, []
for i, z in enumerate(tape.values):
    for k in range(np.size(z)):
        r = np.zeros(np.size(z))
        r[k] = eps
        up, down = (tape.replay({i: s * r.reshape(np.shape(z))}).values[loss.index] for s in (1, -1))
        injected.append((up - down) / (2 * eps))

swept = np.concatenate([np.ravel(m.value) for m in lam])
print(lam.table())
print(f"max |sweep − linear system| = {np.max(np.abs(swept - solved)):.1e}")
print(f"max |sweep − injection|     = {np.max(np.abs(swept - injected)):.1e}")
ok = np.allclose(swept, solved, rtol=1e-12, atol=1e-12) and np.allclose(swept, injected, rtol=1e-6, atol=1e-7)
print(f"check: {swept.size} multipliers, three ways, equal  {'ok' if ok else 'FAILED'}")
