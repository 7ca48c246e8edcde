"""House rules: imports run downward, importing is light, everything public is documented, examples run."""

from __future__ import annotations

import ast
import doctest
import functools
import importlib
import inspect
import pkgutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest

import adjoint as ad

ROOT = Path(ad.__file__).parent
# From the ground up; a part may import from those before it and from itself.
LAYERS = [
    {"errors", "tree", "text", "garbage", "targets", "_version"},
    {"ops"},
    {"numpy", "storage", "data"},
    {"tape"},
    {"changes"},
    {"sweeps", "engines"},
    {"transforms"},
    {"scipy", "builtins", "differential_operators", "tracer"},
    {"extend"},
    {"optim", "nn"},
    {"problems"},
    {"check"},
    {"models"},
    {"render", "plot"},
    {"demos", "misc", "pytest_plugin", "selftest", "test_util"},
    {"util"},
    {"__init__", "__main__"},
]
FILES = sorted(ROOT.rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def height(name: str) -> int:
    found = [k for k, layer in enumerate(LAYERS) if name in layer]
    assert found, f"{name} has no place in LAYERS"
    return found[0]


@functools.cache
def imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """The import statements of a file, anywhere in it."""
    return [x for x in ast.walk(ast.parse(path.read_text())) if isinstance(x, ast.Import | ast.ImportFrom)]


def imported(path: Path) -> set[str]:
    """The parts of the package that a file imports, anywhere in it."""
    folder = ["adjoint", *path.relative_to(ROOT).parts[:-1]]
    names: set[str] = set()
    for node in imports(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        else:
            base = folder[: len(folder) - node.level + 1] if node.level else []
            base = [*base, *([node.module] if node.module else [])]
            names |= {".".join([*base, alias.name]) for alias in node.names}
    return {n.split(".")[1] for n in names if n.startswith("adjoint.")}


def upward(path: Path) -> list[str]:
    """What a file imports that is not below it."""
    here, own = height(part(path)), part(path)
    wrong = []
    for name in imported(path) - {own, "_version"}:
        if (ROOT / name).is_dir() or (
            ROOT / f"{name}.py"
        ).exists():  # otherwise a public name of the package itself
            below = height(name) < here or here == 0 == height(name)
            wrong += [] if below else [f"{path.relative_to(ROOT)} imports {name}, which is not below {own}"]
    return wrong


def test_imports_run_downward() -> None:
    wrong = [text for path in FILES for text in upward(path)]
    assert not wrong, "\n".join(wrong)


def test_the_walk_sees_imports() -> None:
    """The test above can fail: it finds what is known to be there."""
    assert {"errors", "ops"} <= imported(ROOT / "tape" / "tape.py")
    assert "transforms" in imported(ROOT / "check" / "gradients.py")
    assert height("check") > height("tape")


def module(path: Path) -> str:
    return ".".join(["adjoint", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")


def needed_at_once(path: Path) -> set[str]:
    """The files of the package that the top of a file imports, by the names of their modules."""
    folder, known = ["adjoint", *path.relative_to(ROOT).parts[:-1]], set(map(module, FILES))
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{name}.{alias.name}" for alias in node.names]
            found |= {n if n in known else name for n in names}
    return found & known


def test_files_import_one_way() -> None:
    """No circle among the files of the package, within a part of it neither."""
    graph = {module(path): needed_at_once(path) for path in FILES}
    assert "adjoint.tape.entries" in graph["adjoint.tape.tape"]
    assert "adjoint.engines.rewriting" in graph["adjoint.engines.building"]
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_kernels_are_compiled_by_engines_only() -> None:
    """No private solver: what is jitted lives under engines/."""
    for path in [p for p in FILES if part(p) != "engines"]:
        for node in imports(path):
            if isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & {"numba", "llvmlite"}, path
            else:
                assert (node.module or "").split(".")[0] not in ("numba", "llvmlite"), path
                assert not {"njit", "jit", "cfunc"} & {alias.name for alias in node.names}, path


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_import_is_light() -> None:
    heavy = ("numba", "scipy", "cupy", "graphviz", "rich", "hypothesis", "pytest", "jax", "torch")
    loaded = run("import sys, adjoint; print(*sorted(m for m in sys.modules if '.' not in m))").split()
    assert "adjoint" in loaded
    assert not set(heavy) & set(loaded)


def test_gradient_of_plain_numpy_needs_numpy_only() -> None:
    code = "import sys, numpy as np, adjoint as ad; ad.grad(lambda w: np.sum(np.tanh(w)))(np.ones(2))"
    assert run(f"{code}; print('scipy' in sys.modules)").strip() == "False"


def test_everything_public_exists_and_is_documented() -> None:
    assert len(set(ad.__all__)) == len(ad.__all__)
    for name in ad.__all__:
        assert hasattr(ad, name), name
        thing = getattr(ad, name)
        if name == "__version__":
            continue
        assert (inspect.getdoc(thing) or "").strip(), f"{name} has no docstring"
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            for method, member in vars(thing).items():
                if not method.startswith("_") and callable(getattr(thing, method)):
                    assert inspect.getdoc(getattr(thing, method)), (
                        f"{name}.{method} has no docstring ({member})"
                    )


EXTRAS = {"adjoint.plot": "matplotlib"}
MODULES = sorted(m.name for m in pkgutil.walk_packages([str(ROOT)], "adjoint.") if "__main__" not in m.name)


@pytest.mark.parametrize("name", ["adjoint", *MODULES])
def test_modules_have_docstrings_whose_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    if name in EXTRAS:  # what its examples need, and the light installation lacks
        pytest.importorskip(EXTRAS[name], reason=f"examples of {name} need {EXTRAS[name]}")
    assert (module.__doc__ or "").strip()
    result = doctest.testmod(module, extraglobs={"np": np, "ad": ad})
    assert result.failed == 0


def test_version() -> None:
    assert ad.__version__.count(".") == 2
