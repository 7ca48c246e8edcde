"""Principal components from a Lagrangian: Σv = λv, and the eigenvalue is the multiplier of vᵀv = 1.

    min −vᵀΣv   s.t.  vᵀv = 1,  vⱼᵀv = 0 (j < k)      L = −vᵀΣv + ν(vᵀv − 1) + Σⱼ γⱼ vⱼᵀv

∇L = 0 gives Σv = νv and γ = 0: variance is bought with length at price λ, and orthogonality costs nothing.
Directions of the digits are found twice: by `PCA`, and by gradient steps on the sphere with the library's
derivatives, which know nothing of eigenvalues; the multiplier is what is left of the gradient along v.

Source: H. Hotelling, "Analysis of a complex of statistical variables into principal components", 1933.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import adjoint as ad
from adjoint.data import digits
from adjoint.models import PCA

X, _ = digits()
model = PCA(6).fit(X)
covariance = np.cov(X.T)


def objective(v):  # plain NumPy
    return -v @ covariance @ v


gradient = ad.grad(objective)
rng = np.random.default_rng(0)
found, prices = [], []
for _ in range(3):
    v = rng.normal(size=X.shape[1])
    for _ in range(3000):
        v = v - 0.5 / model.explained_variance_[0] * gradient(v)
        for u in found:
            v = v - (u @ v) * u
        v = v / np.linalg.norm(v)
    prices.append(-(gradient(v) @ v) / 2)  # vᵀ∇L = 0 solved for ν
    found.append(v)

print("direction   multiplier λ   by descent      share of the variance")
for k in range(3):
    share = model.explained_variance_ratio_[k]
    print(f"{k:9d}   {model.multipliers_['norm'][k]:12.6f}   {prices[k]:12.6f}   {share:.4f}")
angle = max(1 - abs(found[k] @ model.components_[k]) for k in range(3))
price = max(abs(prices[k] / model.multipliers_["norm"][k] - 1) for k in range(3))
print(f"orthogonality: {np.max(np.abs(model.multipliers_['orthogonality'])):.1e}; {model.residuals_}")

# a price is a sensitivity: vᵀv = 1 + b has the optimum −(1 + b) λ
b = 0.01
bought = objective(np.sqrt(1 + b) * model.components_[0]) - objective(model.components_[0])
print(
    f"a hundredth more of squared length: f* {bought:+.6f}, predicted {b * model.sensitivity('norm')[0]:+.6f}"
)
paid = abs(bought / (b * model.sensitivity("norm")[0]) - 1)

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, axes = plt.subplots(1, 6, figsize=(9, 1.9), layout="constrained")
    for axis, v, value in zip(axes, model.components_, model.explained_variance_, strict=True):
        axis.imshow(v.reshape(8, 8), cmap="RdBu", vmin=-0.4, vmax=0.4)
        axis.set(title=f"λ = {value:.1f}", xticks=[], yticks=[])
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "pca.png", dpi=120)
    print("picture:", folder / "pca.png")

ok = angle < 1e-9 and price < 1e-9 and paid < 1e-9 and model.residuals_.hold(1e-12)
print(
    f"check: directions to {angle:.1e}, multipliers to {price:.1e}, price {paid:.1e}  {'ok' if ok else 'NO'}"
)
