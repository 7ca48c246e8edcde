"""The pytest plugin: fixture `check_gradients`, marker `gradients`, option `--adjoint-seed`.

pytest loads this in every run on a machine where the library is installed, whoever's tests they are. So it
stands outside of `adjoint` and imports nothing but pytest: what it does is in `adjoint.pytest_plugin`,
which is imported when a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from adjoint.pytest_plugin import GradientChecker

SEED = pytest.StashKey[int]()
MARKER = (
    "gradients(args, *, samples, argnum, order, framework, gradient, vjp, jvp, hvp, hessian): the test is "
    "the function whose derivatives are checked at args, a tuple or a function of a Generator (samples: "
    "several, by name); without `gradient` and the like, those that the library takes of it. See "
    "adjoint.pytest_plugin."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option, also as `adjoint_seed` in the configuration."""
    text = (
        "seed of gradient checks: a number to replay a run, `random` for another one each time (default: 0)"
    )
    parser.getgroup("adjoint").addoption("--adjoint-seed", metavar="SEED", help=text)
    parser.addini("adjoint_seed", text, default="0")


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and the seed of this run."""
    config.addinivalue_line("markers", MARKER)
    given = config.getoption("--adjoint-seed") or config.getini("adjoint_seed")
    shared = getattr(config, "workerinput", {}).get("adjoint_seed")  # of the process that gives out tests
    if shared is not None:
        given = str(shared)
    if given == "random":
        import secrets

        given = str(secrets.randbelow(2**31))
    if not given.isdecimal():
        raise pytest.UsageError(f"--adjoint-seed is a number or `random`, not {given!r}")
    config.stash[SEED] = int(given)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """The processes of pytest-xdist check with one seed."""
    node.workerinput["adjoint_seed"] = node.config.stash[SEED]


def pytest_report_header(config: pytest.Config) -> str | None:
    """The seed, when it is not the usual one."""
    seed = config.stash[SEED]
    return f"adjoint: --adjoint-seed={seed}" if seed else None


@pytest.fixture
def check_gradients(request: pytest.FixtureRequest) -> GradientChecker:
    """Check derivatives, and fail with the report: `check_gradients(f, (x, y))`.

    `gradient=` (or vjp=, jvp=, hvp=, hessian=) is a derivative that somebody wrote, of any function; without
    one, f's derivatives are those that the library, or the framework f belongs to, takes of it. The report is
    returned. `check_gradients.rng` is a NumPy Generator that `--adjoint-seed` seeds, for the test's own data.
    """
    from adjoint.pytest_plugin import GradientChecker

    return GradientChecker(request.config.stash[SEED], request.node.nodeid)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The arguments of a marked function are those at which it is checked."""
    mark = metafunc.definition.get_closest_marker("gradients")
    if mark is not None:
        from adjoint.pytest_plugin import parametrize

        parametrize(metafunc, mark, metafunc.config.stash[SEED])


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Check a marked function instead of running it as a test."""
    mark = pyfuncitem.get_closest_marker("gradients")
    if mark is None:
        return None
    from adjoint.pytest_plugin import run_marked

    run_marked(pyfuncitem, mark, pyfuncitem.config.stash[SEED])
    return True
