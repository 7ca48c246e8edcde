"""torch.optim and torch's clipping as independent witnesses, in float64."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
from adjoint import optim
from adjoint import tree as trees

from ..helpers import close
from .cases import CASES, RATE
from .test_optimizers import loss, start

torch = pytest.importorskip("torch", reason="torch, the independent witness, is not installed")
pytestmark = pytest.mark.peers


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps(name: str) -> None:
    case, params = CASES[name], start()
    theirs = [torch.tensor(x, requires_grad=True) for x in trees.flatten(params)[0]]
    other = getattr(torch.optim, case.torch)(theirs, lr=RATE, **case.options)
    state = case.optimizer.init(params)
    for _ in range(20):
        gradient = ad.grad(loss)(params)
        for x, g in zip(theirs, trees.flatten(gradient)[0], strict=True):
            x.grad = torch.tensor(g)
        other.step()
        params, state = case.optimizer.update(gradient, state, params)
        close(trees.flatten(params)[0], [x.detach().numpy() for x in theirs], 1e-12)


def test_defaults_are_torchs() -> None:
    for make, other in (
        (optim.adam, torch.optim.Adam),
        (optim.adamw, torch.optim.AdamW),
        (optim.rmsprop, torch.optim.RMSprop),
        (optim.adagrad, torch.optim.Adagrad),
    ):
        w, theirs = np.ones(3), torch.ones(3, dtype=torch.float64, requires_grad=True)
        theirs.grad = torch.tensor([1e-9, -2.0, 0.0], dtype=torch.float64)
        other([theirs]).step()
        opt = make()
        close(opt.update(theirs.grad.numpy(), opt.init(w), w)[0], theirs.detach().numpy(), 1e-15)


@pytest.mark.parametrize("max_norm", [0.7, 100.0])
def test_clipping(max_norm: float) -> None:
    gradient = ad.grad(loss)(start())
    theirs = [torch.zeros(np.shape(g), dtype=torch.float64) for g in trees.flatten(gradient)[0]]
    for x, g in zip(theirs, trees.flatten(gradient)[0], strict=True):
        x.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    clipped = trees.flatten(optim.clip_by_global_norm(max_norm)(gradient))[0]
    close(clipped, [x.grad.numpy() for x in theirs], 1e-14)


def test_cosine_is_torchs_annealing() -> None:
    w = torch.zeros(1, requires_grad=True)
    other = torch.optim.SGD([w], lr=0.5)
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(other, 10, eta_min=0.1)
    for k in range(10):
        ours = float(optim.cosine(0.5, 10, end=0.1)(float(k)))
        assert ours == pytest.approx(annealing.get_last_lr()[0], rel=1e-12)
        other.step()
        annealing.step()
