"""The pytest plugin in runs of pytest of its own: fixture, marker, seed, and what a failure says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import scipy.optimize

import adjoint.pytest_plugin

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

# runs in this process forget what they import first; NumPy, SciPy and torch do not survive a second import
IMPORTED = (adjoint.pytest_plugin, scipy.optimize)

FUNCTIONS = """
import numpy as np
import pytest


def loss(w, x):
    return np.sum(np.tanh(x @ w) ** 2)


def right(w, x):
    h = np.tanh(x @ w)
    return x.T @ (2 * h * (1 - h**2))


def wrong(w, x):
    g = right(w, x)
    g[1] *= 1.01
    return g


W, X = np.array([0.5, -0.2]), np.eye(3, 2)
"""


def run(pytester: pytest.Pytester, tests: str, *options: str) -> Any:
    pytester.makepyfile(test_it=FUNCTIONS + tests)
    quiet = ("-p", "adjoint_pytest", "-p", "no:cacheprovider", "-W", "error", "--strict-markers")
    return pytester.runpytest_inprocess(*quiet, *options)


def test_fixture_checks_functions_and_pairs(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_ours(check_gradients):
    assert check_gradients(loss, (W, X)).passed
    assert check_gradients(loss, (W, X), argnum=0, gradient=right)
    assert check_gradients.multipliers(loss, (W, X))


def test_certificate(check_gradients):
    import adjoint as ad
    problem = ad.Problem(np.sum, ineq={"disk": lambda x: x @ x - 2})
    assert check_gradients.certificate(problem.solve(np.zeros(2)), problem)


def test_wrong(check_gradients):
    check_gradients(loss, (W, X), argnum=0, gradient=wrong)
""",
    )
    result.assert_outcomes(passed=2, failed=1)
    text = str(result.stdout)
    assert re.search(r"E\s+adjoint.check.report.CheckError: gradient of loss: FAILED", text)
    assert re.search(r"argument w, index \[1\]: received -0\.3831\d+, expected -0\.3793\d+", text)
    assert "▇▇▇" in text and "expected 1, 2" in text  # the rates, as a picture in text
    assert 'replay: pytest "test_it.py::test_wrong" --adjoint-seed=0' in text
    assert ">       check_gradients(loss, (W, X), argnum=0, gradient=wrong)".replace(
        "    ", ""
    ) in text.replace("    ", "")
    assert "pytest_plugin.py" not in text  # the user's line, not ours


def test_marker_makes_the_test_the_function(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.fixture
def scale():
    return 3.0


@pytest.mark.gradients((W, X))
def test_loss(w, x):
    return loss(w, x)


@pytest.mark.gradients(args=(W, X), argnum=0, gradient=right)
def test_pair(w, x):
    return loss(w, x)


@pytest.mark.gradients((W,))
def test_with_a_fixture(w, scale):
    assert scale == 3.0
    return np.sum(scale * w**3)


@pytest.fixture(params=[2, 3])
def hundreds(request):
    return 100.0 * request.param


@pytest.mark.parametrize("power", [2, 3])
@pytest.mark.gradients((W,), argnum=0, gradient=lambda w, power: 500.0 * power * w ** (power - 1))
def test_beside_parameters(w, hundreds, power):
    assert hundreds >= 200 and power in (2, 3)
    return np.sum(500.0 * w**power)


class TestMethods:
    @pytest.mark.gradients(samples={"near": (W,), "drawn": lambda rng: (rng.normal(size=4),)})
    def test_cube(self, w):
        return np.sum(w**3)


@pytest.mark.gradients((W, X), argnum=0, gradient=wrong)
def test_wrong(w, x):
    return loss(w, x)
""",
        "-v",
    )
    result.assert_outcomes(passed=5 + 4, failed=1)
    result.stdout.fnmatch_lines(["*test_cube?near? PASSED*", "*test_cube?drawn? PASSED*"])
    text = str(result.stdout)
    assert "gradient of test_wrong: FAILED" in text and "argument w, index [1]: received" in text
    assert 'replay: pytest "test_it.py::test_wrong' in text
    assert "Traceback" not in text and "run_marked" not in text


DRAWS = """
@pytest.mark.gradients(lambda rng: (rng.normal(size=2),))
def test_drawn(w):
    print("drawn", np.asarray(getattr(w, "value", w)).tolist())
    return np.sum(w**2)


def test_rng(check_gradients):
    print("rng", check_gradients.rng.normal())


def test_other_rng(check_gradients):
    print("rng", check_gradients.rng.normal())
"""


def drawn(result: Any) -> list[str]:
    return re.findall(r"(?:drawn|rng) .*$", str(result.stdout), re.MULTILINE)


def test_functions_of_torch(pytester: pytest.Pytester) -> None:
    if torch is None:
        pytest.skip("torch is not installed")
    result = run(
        pytester,
        """
import torch


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] ** 2 * g


POINT = torch.tensor([0.5, -2.0], dtype=torch.float64)


def test_wrong(check_gradients):
    check_gradients(Cube.apply, (POINT,))


@pytest.mark.gradients((POINT,))
def test_right(x):
    return torch.sum(x**3)
""",
    )
    result.assert_outcomes(passed=1, failed=1)
    assert "received 8, expected 12" in str(result.stdout)


def test_seed_replays_and_varies(pytester: pytest.Pytester) -> None:
    first, again, other = (run(pytester, DRAWS, "-s", f"--adjoint-seed={s}") for s in (3, 3, 4))
    assert drawn(first) == drawn(again) != drawn(other)
    assert len({line for line in drawn(first) if line.startswith("rng")}) == 2  # each test has its own
    assert "adjoint: --adjoint-seed=3" in str(first.stdout)
    usual = run(pytester, DRAWS, "-s")
    assert "--adjoint-seed" not in str(usual.stdout)
    surprise = run(pytester, DRAWS, "-s", "--adjoint-seed=random")
    found = re.search(r"adjoint: --adjoint-seed=(\d+)", str(surprise.stdout))
    assert found
    assert drawn(run(pytester, DRAWS, "-s", f"--adjoint-seed={found[1]}")) == drawn(surprise)
    alone = run(pytester, DRAWS, "-s", "--adjoint-seed=3", "-k", "not drawn")
    assert drawn(alone) == [line for line in drawn(first) if line.startswith("rng")]  # of no order


def test_seed_in_the_configuration_and_a_wrong_one(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nadjoint_seed = 12")
    assert "adjoint: --adjoint-seed=12" in str(run(pytester, DRAWS).stdout)
    assert "is a number or `random`, not 'x'" in str(run(pytester, DRAWS, "--adjoint-seed=x").stderr)


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of their own find the plugin where this one does."""
    monkeypatch.setenv("PYTHONPATH", str(Path(adjoint.__file__).parents[1]))


def test_processes_share_the_seed(pytester: pytest.Pytester, importable: None) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile(
        test_it=FUNCTIONS + "def test_a(check_gradients):\n    assert check_gradients.seed == 7\n"
    )
    result = pytester.runpytest_subprocess("-p", "adjoint_pytest", "-n", "1", "--adjoint-seed=7")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("", "needs the arguments to check at: @pytest.mark.gradients((x,))"),
        ("W", "must be a tuple of the function's arguments, (x,) for one"),
        ("(W,), digits=3", "has no option 'digits'; there are args, samples, argnum"),
        ("(W, X, W)", "gives 3 arguments, the function takes 2"),
        ("samples={'a': (W,), 'b': (W, X)}", "have [1, 2] arguments; give equally many"),
        ("(W, X))\n@pytest.mark.gradients((W, X)", "of test_loss is given twice; use samples="),
        ("samples=[(W, X)]", "is a dict of tuples of arguments by name"),
    ],
)
def test_misuse_of_the_marker(pytester: pytest.Pytester, marker: str, words: str) -> None:
    result = run(pytester, f"@pytest.mark.gradients({marker})\ndef test_loss(w, x):\n    return loss(w, x)\n")
    result.assert_outcomes(errors=1)
    assert words in str(result.stdout)


def test_other_peoples_runs_are_left_alone(pytester: pytest.Pytester, importable: None) -> None:
    """Nothing of the library is imported until a test asks for it."""
    pytester.makepyfile(
        "import sys\ndef test_it():\n    assert not {'numpy', 'adjoint', 'scipy'} & set(sys.modules)\n"
    )
    result = pytester.runpytest_subprocess("-p", "adjoint_pytest", "-W", "error", "-q")
    result.assert_outcomes(passed=1)
    code = "import sys, adjoint_pytest; print(*sorted({'numpy', 'adjoint'} & set(sys.modules)))"
    assert not subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
