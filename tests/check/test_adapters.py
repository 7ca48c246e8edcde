"""check.gradients on functions of other frameworks: right ones pass, planted faults are placed and named."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from adjoint import check
from adjoint.check.adapters import adapted
from adjoint.errors import DTypeError

from ..helpers import jax_in_double

X = np.array([0.3, -0.7, 1.1])


def framework_subject(module: Any, x: Any, argnum: Any) -> Any:
    return adapted(module, (x,), argnum, "torch")


def test_torch_functions_and_custom_functions() -> None:
    torch = pytest.importorskip("torch")

    def function(factor: float) -> Any:
        class Cube(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                ctx.save_for_backward(x)
                return x**3

            @staticmethod
            def backward(ctx: Any, lam: Any) -> Any:
                (x,) = ctx.saved_tensors
                return factor * lam * x**2

        return Cube

    x = torch.tensor(X)
    assert check.gradients(lambda x: (x.sin() ** 2).sum(), (x,))
    assert check.gradients(function(3.0), (x,))
    assert check.gradients(function(3.0).apply, (x,))
    assert check.gradients(function(3.0), (x.float(),))
    for point in (x, x.float()):
        report = check.gradients(function(1.5).apply, (point,))
        assert not report and report.kind == "factor ½" and report.places[0].index == (2,)
        assert repr(report).startswith("gradients of Cube: FAILED")
    z = torch.tensor([0.3 + 0.2j, -0.7 + 1j], dtype=torch.complex128)
    assert check.gradients(lambda z: z.exp() * z.conj(), (z,))
    assert check.gradients(lambda x, n, label: (x * n).sum(), (x, 3, "text"))


def test_a_module_of_torch_with_its_parameters() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers = torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)
    module = torch.nn.Sequential(*layers).double()
    before = module[0].weight.detach().clone()
    assert check.gradients(module, (torch.randn(5, 3, dtype=torch.float64),))
    assert torch.equal(before, module[0].weight) and module[0].weight.grad is None
    x = torch.randn(3, dtype=torch.float64)
    for argnum in (0, -1, np.int64(0)):  # of the module's own arguments, as its forward counts them
        assert framework_subject(module, x, argnum).labels == ["input"]
    with pytest.raises(ValueError, match="argnum -2 is out of range: the module is given 1 arguments"):
        framework_subject(module, x, -2)
    with pytest.raises(DTypeError, match=r"bfloat16, which NumPy lacks: give x\.float\(\)"):
        check.gradients(lambda x: x.sum(), (x.bfloat16(),))

    class Detached(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = torch.nn.Parameter(torch.tensor([0.5, 2.0], dtype=torch.float64))

        def forward(self, x: Any) -> Any:
            return (self.a.detach() * x).sum() + (self.a**2).sum()

    report = check.gradients(Detached(), (torch.tensor([1.0, 3.0], dtype=torch.float64),))
    assert not report and report.places[0].argument == "parameters/a"


def test_jax_functions_and_custom_rules() -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    def cube(factor: float) -> Any:
        f = jax.custom_vjp(lambda x: x**3)
        f.defvjp(lambda x: (x**3, x), lambda x, lam: (factor * x**2 * lam,))
        return f

    with jax_in_double():
        x = jnp.asarray(X)
        report = check.gradients(jax.jit(lambda x: jnp.sum(jnp.sin(x) ** 2)), (x,))
        assert report and any(f.what.startswith("dot product") for f in report)
        assert check.gradients(cube(3.0), (x,))
        report = check.gradients(cube(-3.0), (x,))
        assert not report and report.kind == "sign"
        assert check.gradients(lambda p: {"y": p["a"] * jnp.exp(1j * p["b"])}, ({"a": x, "b": 2.0 * x},))
    assert check.gradients(lambda x: jnp.sum(jnp.sin(x) ** 2), (jnp.asarray(X),))  # float32


def test_autograd_functions() -> None:
    pytest.importorskip("autograd")
    import autograd.numpy as anp
    from autograd.extend import defvjp, primitive

    assert check.gradients(lambda x, y: anp.sum(anp.tanh(x) * y), (X, 2 * X))
    assert "vjp" in check.gradients(anp.sin, (X,), framework="autograd", order=1).evaluations
    square = primitive(lambda x: x**2)
    defvjp(square, lambda z, x: lambda lam: lam * x)
    report = check.gradients(lambda x: anp.sum(square(x)), (X,))
    assert not report and report.kind == "factor ½"
    assert report.evaluations["vjp"] > 0  # it was autograd that was asked


def test_casadi_functions() -> None:
    casadi = pytest.importorskip("casadi")
    x, y = casadi.MX.sym("x", 3), casadi.MX.sym("y", 2, 2)
    f = casadi.Function(
        "f", [x, y], [casadi.sin(x) * casadi.sumsqr(y), casadi.dot(x, x)], ["x", "y"], ["a", "b"]
    )
    report = check.gradients(f, (X, np.array([[1.0, 2.0], [3.0, 0.5]])))
    assert report and repr(report).startswith("gradients of f: passed")
    assert check.gradients(f, (X, np.eye(2)), argnum=0)
    with pytest.raises(TypeError, match="f takes 2 arguments, 1 were given"):
        check.gradients(f, (X,))


def test_unknown_frameworks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown framework 'theano': there are 'torch', .* check\.pair"):
        check.gradients(np.sin, (X,), framework="theano")


def test_no_framework_is_imported() -> None:
    code = "import sys, numpy as np; from adjoint import check;"
    code += "check.pair(lambda x: np.sum(x**2), lambda x: 2 * x, (np.ones(3),)).raise_on_failure();"
    code += "check.gradients(np.sin, (np.ones(3),)).raise_on_failure();"
    code += "print(sorted({'torch', 'jax', 'autograd', 'casadi', 'scipy', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
