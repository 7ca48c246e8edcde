"""`python -m adjoint …`: what it prints, and its exit codes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console

import adjoint as ad
from adjoint.__main__ import main
from adjoint.data import digits, digits_split
from adjoint.demos import backprop


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "adjoint", *arguments], capture_output=True, text=True)


def test_demo_in_a_fresh_process_checks_itself() -> None:
    finished = run("demo", "backprop")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count("compiled update: ") == 1
    for words in (
        "held-out accuracy",
        "µs compiled",
        "layer1/W",
        "KKT certificate",
        "measured Δℓ",
        r"\mathcal{L}",
        "  ok",
    ):
        assert words in finished.stdout


def test_demo_fails_aloud_when_the_network_does_not_learn(monkeypatch, capsys) -> None:
    monkeypatch.setattr(backprop, "EPOCHS", 1)
    monkeypatch.setattr(backprop, "RATE", 1e-6)
    assert main(["demo", "backprop"]) == 1
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.parametrize("seed", [1, 2])
def test_demo_reaches_its_figures_from_other_seeds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = digits_split(rng)
    step = ad.compile(backprop.update, donate=(0, 1))
    result = backprop.examine(backprop.train(step, data, rng, lambda epoch, loss: None), data)
    assert step.explain().recompilations == 0
    assert result.accuracy >= 0.96
    assert result.certificate.holds
    assert result.perturbation.relative_error <= 0.1
    assert abs(result.perturbation.first_order - result.perturbation.measured) > abs(
        result.perturbation.trapezoidal - result.perturbation.measured
    )


def test_demo_is_reproducible() -> None:
    texts = []
    for _ in range(2):
        with open("/dev/null", "w") as nowhere:
            console = Console(record=True, quiet=False, file=nowhere, width=200)
            backprop.run(console, seed=3)
        texts.append([line for line in console.export_text().splitlines() if "λ" in line or "layer" in line])
    assert texts[0] == texts[1] and texts[0]


def test_doctor_names_engines_and_versions(capsys) -> None:
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert np.__version__ in printed and "ready" in printed


def test_the_gpu_report_without_cupy_says_what_to_install(capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert main(["doctor", "--gpu"]) == 2
    assert "pip install" in capsys.readouterr().err
    assert main(["doctor"]) == 0  # which needs no GPU


def test_help_and_version() -> None:
    assert run("--version").stdout.strip().startswith("adjoint 0.")
    helped = run("--help").stdout
    assert all(command in helped for command in ("demo", "check", "doctor"))
    assert run("demo", "nosuch").returncode == 2


def test_digits_are_the_public_set() -> None:
    x, y = digits()
    assert x.shape == (1797, 64) and y.shape == (1797,)
    assert x.min() == 0 and x.max() == 16 and set(y) == set(range(10))
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    split = digits_split(np.random.default_rng(0))
    assert len(split.test_y) == 359 and len(split.train_y) == 1438
