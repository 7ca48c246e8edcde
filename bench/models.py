"""Classic models beside scikit-learn: ridge and lasso paths, logistic regression, PCA, SVMs.

Accuracy first: every contestant's coefficients are compared with a reference that none of them computed; who
deviates by more than 1e-8 of their size (SVMs: 1e-4) is not timed. So scikit-learn's coordinate descent and
L-BFGS run at tolerances tight enough for that; its faster defaults are shown too, by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import harness
import numpy as np
from agreement import Result
from environment import heading, options, prepare, versions
from harness import Contestant

PACKAGES = ("adjoint-autodiff", "scikit-learn", "scipy", "numpy")
TOLERANCE = 1e-8


class Case(NamedTuple):
    """One question.

    Attributes:
        title: the model and its size.
        n: the number of rows.
        reference: what all should find.
        contestants: name → what computes it; ours is called "adjoint".
        asked: our time over the best peer's, at most; inf where nothing was asked.
        loose: peers that are fast because they stop early; timed, not compared.
    """

    title: str
    n: int
    reference: np.ndarray
    contestants: dict[str, Callable[[], np.ndarray]]
    asked: float
    loose: dict[str, Callable[[], np.ndarray]]
    tolerance: float = TOLERANCE


def regression(n: int, p: int, informative: int) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features, a few of which matter."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) + 0.7 * rng.normal(size=(n, 1))
    w = np.zeros(p)
    w[rng.choice(p, informative, replace=False)] = rng.normal(size=informative)
    return X, X @ w + 2.0 * rng.normal(size=n) + 1.0


def ridge_case() -> Case:
    from sklearn.linear_model import Ridge, ridge_regression

    from adjoint.models import ridge_path

    X, y = regression(10_000, 500, 50)
    alphas = np.logspace(-2, 5, 100)

    def by_one_call(solver: str) -> np.ndarray:
        centered, targets = X - X.mean(axis=0), y - y.mean()
        many = np.repeat(targets[:, None], len(alphas), axis=1)
        return ridge_regression(centered, many, alphas, solver=solver)

    def by_fits() -> np.ndarray:
        return np.array([Ridge(alpha, solver="cholesky").fit(X, y).coef_ for alpha in alphas])

    centered, targets = X - X.mean(axis=0), y - y.mean()
    _, sigma, V = np.linalg.svd(np.linalg.qr(np.column_stack([centered, targets]), "r")[:, :-1])
    reference = (V.T / (sigma**2 + alphas[:, None, None])) @ (V @ (centered.T @ targets))
    return Case(
        "ridge path, 100 penalties, 10,000 × 500", 10_000, reference,
        {
            "adjoint": lambda: ridge_path(X, y, alphas).coefs,
            "scikit-learn svd": lambda: by_one_call("svd"),
            "scikit-learn cholesky": lambda: by_one_call("cholesky"),
        },
        1.5, {"scikit-learn 100 fits": by_fits},
    )  # fmt: skip


def lasso_case() -> Case:
    import sklearn.linear_model as peer

    from adjoint.models import lasso_path

    X, y = regression(2_000, 50, 15)
    Xc, yc = X - X.mean(axis=0), y - y.mean()
    top = np.max(np.abs(Xc.T @ yc)) / len(y)
    alphas = top * np.logspace(0, -3, 100)

    def theirs(tol: float) -> np.ndarray:
        centered = np.asfortranarray(X - X.mean(axis=0))
        return peer.lasso_path(
            centered, y - y.mean(), alphas=alphas, tol=tol, max_iter=100_000, precompute=True
        )[1].T

    def lars() -> np.ndarray:
        knots, _, coefs = peer.lars_path(X - X.mean(axis=0), y - y.mean(), method="lasso")
        return np.array([np.interp(-alphas, -knots, row) for row in coefs]).T

    reference = np.array([signs_known(Xc, yc, alpha) for alpha in alphas])
    return Case(
        "lasso path, 100 penalties, 2,000 × 50", 2_000, reference,
        {
            "adjoint": lambda: lasso_path(X, y).at(alphas),
            "scikit-learn descent, tol 1e-15": lambda: theirs(1e-15),
            "scikit-learn lars": lars,
        },
        3.0, {"scikit-learn descent, tol 1e-4": lambda: theirs(1e-4)},
    )  # fmt: skip


def signs_known(X: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """The lasso: its signs by proximal gradient steps, then its linear system; KKT conditions asserted."""
    n, p = X.shape
    G, b, w = X.T @ X / n, X.T @ y / n, np.zeros(p)
    step = 1 / np.linalg.eigvalsh(G)[-1]
    for _ in range(20_000):
        z = w - step * (G @ w - b)
        new = np.sign(z) * np.maximum(np.abs(z) - step * alpha, 0)
        done, w = np.max(np.abs(new - w)) < 1e-12, new
        if done:
            break
    active, signs = np.flatnonzero(w), np.sign(w)
    w[active] = np.linalg.lstsq(X[:, active] / n**0.5, y / n**0.5, rcond=None)[0]
    w[active] -= alpha * np.linalg.solve(G[np.ix_(active, active)], signs[active])
    c = X.T @ (y - X @ w) / n
    assert np.max(np.abs(c)) <= alpha * (1 + 1e-9) and np.array_equal(np.sign(w), signs)
    return w


def logistic_case() -> Case:
    from scipy.optimize import root
    from sklearn.linear_model import LogisticRegression as Peer

    from adjoint.models import LogisticRegression

    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 40))
    y = (X @ rng.normal(size=40) * 0.5 + rng.logistic(size=20_000) > 0).astype(int)
    design = np.column_stack([X, np.ones(len(X))])
    ridge = np.append(np.ones(40), 0.0)

    def gradient(w: np.ndarray) -> np.ndarray:
        return design.T @ (1 / (1 + np.exp(-design @ w)) - y) + ridge * w

    def theirs(solver: str, tol: float) -> np.ndarray:
        return Peer(solver=solver, tol=tol, max_iter=10_000).fit(X, y).coef_[0]

    return Case(
        "logistic regression, 20,000 × 40", 20_000, root(gradient, np.zeros(41), tol=1e-14).x[:40],
        {
            "adjoint": lambda: LogisticRegression().fit(X, y).coef_[0],
            "scikit-learn newton-cholesky": lambda: theirs("newton-cholesky", 1e-10),
            "scikit-learn lbfgs, tol 1e-9": lambda: theirs("lbfgs", 1e-9),
        },
        np.inf, {"scikit-learn lbfgs, tol 1e-4": lambda: theirs("lbfgs", 1e-4)},
    )  # fmt: skip


def pca_case() -> Case:
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA as Peer

    from adjoint.models import PCA

    X = load_digits().data
    values = np.linalg.eigvalsh(np.cov(X.T))[::-1][:20].copy()
    return Case(
        "PCA, 20 directions, 1,797 × 64", len(X), values,
        {
            "adjoint": lambda: PCA(20).fit(X).explained_variance_,
            "scikit-learn full": lambda: Peer(20, svd_solver="full").fit(X).explained_variance_,
            "scikit-learn covariance_eigh": lambda: Peer(20, svd_solver="covariance_eigh").fit(X)
            .explained_variance_,
        },
        np.inf, {},
    )  # fmt: skip


def svm_case(kernel: str, C: float, n: int = 2_000) -> Case:
    from sklearn.datasets import make_classification
    from sklearn.svm import SVC as Peer

    from adjoint.models import SVC

    X, y = make_classification(n, 20, n_informative=8, flip_y=0.1, random_state=0)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    squares = np.sum(X**2, axis=1)
    K = X @ X.T if kernel == "linear" else np.exp((2 * X @ X.T - squares[:, None] - squares) / 20)

    def fitted(model: Peer | SVC) -> np.ndarray:
        model.set_params(kernel=kernel, C=C, gamma=0.05).fit(X, y)
        if kernel == "linear":  # the multipliers are not unique, w is
            return model.coef_[0]
        beta = np.zeros(n)
        beta[model.support_] = model.dual_coef_[0]
        return beta

    beta = sets_known(K, np.where(y > 0, 1.0, -1.0), C)
    return Case(
        f"SVM, {kernel}, C = {C:g}, {n:,} × 20", n, X.T @ beta if kernel == "linear" else beta,
        {"adjoint": lambda: fitted(SVC()), "scikit-learn, tol 1e-6": lambda: fitted(Peer(tol=1e-6))},
        10.0, {"scikit-learn, tol 1e-3": lambda: fitted(Peer())},
        1e-4,  # scikit-learn keeps kernels in single precision
    )  # fmt: skip


def sets_known(K: np.ndarray, t: np.ndarray, C: float) -> np.ndarray:
    """The multipliers yα: which are free by scikit-learn, then a linear system; KKT conditions asserted."""
    from sklearn.svm import SVC as Peer

    peer = Peer(kernel="precomputed", C=C, tol=1e-7).fit(K, t)
    beta = np.zeros(len(t))
    beta[peer.support_] = peer.dual_coef_[0]
    size = np.abs(beta) / C
    free, full = (size > 1e-7) & (size < 1 - 1e-7), size >= 1 - 1e-7
    beta[~free] = np.where(full, C * t, 0.0)[~free]
    ones = np.ones((np.sum(free), 1))
    system = np.block([[K[np.ix_(free, free)], ones], [ones.T, np.zeros((1, 1))]])
    right = np.append((t - K[:, full] @ beta[full])[free], -np.sum(beta[full]))
    *beta[free], b = np.linalg.lstsq(system, right, rcond=1e-13)[0]
    values = K @ beta + b
    assert np.all(t * values >= np.where(full, -np.inf, 1 - 1e-8)), "a point inside the margin"
    assert np.all(t * values <= np.where(full | free, 1 + 1e-8, np.inf)), "a point beyond the margin"
    return beta


CASES = {
    "ridge": ridge_case,
    "lasso": lasso_case,
    "logistic": logistic_case,
    "pca": pca_case,
    "svm": lambda: svm_case("rbf", 1.0),
    "svm-hard": lambda: svm_case("rbf", 100.0),
    "svm-linear": lambda: svm_case("linear", 1.0),
}


def built(compute: Callable[[], np.ndarray]) -> Callable[[], Callable[[], Result]]:
    return lambda: lambda: (0.0, [compute()])


def measure(case: Case, rounds: int) -> list[str]:
    """A table, JSON lines, and the row of the summary."""
    group = [Contestant(name, built(compute)) for name, compute in case.contestants.items()]
    reference = (0.0, [case.reference])
    found = harness.compare(group, reference, rounds=rounds, tolerance=case.tolerance, patience=20)
    if case.loose:
        early = [Contestant(name, built(compute)) for name, compute in case.loose.items()]
        found |= harness.compare(early, (0.0, [case.reference]), rounds=3, tolerance=np.inf, patience=20)
    ours = found["adjoint"]
    rows = []
    for m in found.values():
        harness.emit(
            "models", case.title, m.name, m.median if m.times else None, "s", case.n,
            error=m.error, reason=m.reason, versions=versions(PACKAGES),
        )  # fmt: skip
        rows.append(
            [
                m.name,
                f"{m.error:.1e}",
                f"{m.median * 1e3:.1f}",
                f"{m.iqr * 1e3:.1f}",
                f"{m.median / ours.median:.2f}",
            ]
            if m.times and ours.times
            else [m.name, m.reason]
        )
    harness.table(case.title, ["", "error", "median ms", "IQR", "over ours"], rows)
    peers = [m.median for name, m in found.items() if m.times and name in case.contestants and m is not ours]
    ratio = ours.median / min(peers)
    verdict = f"≤ {case.asked}: {'met' if ratio <= case.asked else 'MISSED'}" if case.asked < np.inf else "–"
    return [case.title, f"{ours.median * 1e3:.1f}", f"{ratio:.2f}", verdict]


def die(rounds: int) -> list[str]:
    """Jaynes' loaded die: Newton's steps from the fair one to mean 4.5, and the row of the summary."""
    from adjoint.models import MaxEnt

    faces = np.arange(1, 7)
    model = MaxEnt(faces, moments=4.5).fit()
    times = [harness.timed(model.fit, 1) for _ in range(10 * rounds)]
    weights = np.exp(0.37104893818 * faces)
    error = float(np.max(np.abs(model.probabilities_ - weights / weights.sum())))
    title = "max-entropy die"
    harness.emit(
        "models", title, "adjoint", model.n_iter_, "steps", 6, error=error, versions=versions(PACKAGES)
    )
    verdict = f"≤ 8 steps: {'met' if model.n_iter_ <= 8 and error < TOLERANCE else 'MISSED'}"
    return [title, f"{np.median(times) * 1e3:.1f}", f"{model.n_iter_} steps", verdict]


def main() -> None:
    parser = options(__doc__, rounds=5)
    parser.add_argument("--only", default="", help=f"cases, by commas: {', '.join([*CASES, 'die'])}")
    given = parser.parse_args()
    prepare(given)
    print(heading())
    asked = [name for name in given.only.split(",") if name] or [*CASES, "die"]
    rows = [die(given.rounds) if name == "die" else measure(CASES[name](), given.rounds) for name in asked]
    harness.table("Summary", ["case", "ours, ms", "over the best peer", "asked for"], rows)


if __name__ == "__main__":
    main()
