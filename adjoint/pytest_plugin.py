"""What the pytest plugin does once a test asks for it (`adjoint_pytest` is what pytest loads).

    def test_loss(check_gradients):
        check_gradients(loss, (w, x))                     # the library's derivatives, or torch's, jax's, …
        check_gradients(loss, (w, x), argnum=0, gradient=gradient_by_hand)

    @pytest.mark.gradients((np.ones(3),))                 # the test is the function
    def test_softplus(x):
        return softplus(x)

    @pytest.mark.gradients(samples={"small": ..., "large": lambda rng: (1e6 * rng.normal(size=3),)})
    def test_norm(x): ...

A check's directions come from `--adjoint-seed` and the test's own name: independent of the order of tests.
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import check

if TYPE_CHECKING:
    import pytest

DERIVATIVES = ("gradient", "vjp", "jvp", "hvp", "hessian")
KEYWORDS = ("args", "samples", "argnum", "order", "framework", *DERIVATIVES)


def rng_of(seed: int, name: str) -> np.random.Generator:
    """The source of one test's random numbers."""
    return np.random.default_rng((seed, zlib.crc32(name.encode())))


def checked(
    f: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any], rng: np.random.Generator
) -> check.Report:
    """The report of `check.pair` where a derivative is given, of `check.gradients` elsewhere."""
    given = {key: x for key, x in options.items() if x is not None}
    if any(key in given for key in DERIVATIVES):
        return check.pair(f, given.pop("gradient", None), args, rng=rng, **given)
    return check.gradients(f, args, rng=rng, **given)


class GradientChecker:
    """The fixture `check_gradients`: a function that checks, and fails the test with the report.

    Attributes:
        seed: of the run.
        rng: a NumPy Generator for the test's own data, seeded by it and by the test's name.
    """

    def __init__(self, seed: int, name: str) -> None:
        self.seed, self.name = seed, name
        self.rng = rng_of(seed, name)

    def __call__(self, f: Callable[..., Any], args: Sequence[Any], **options: Any) -> check.Report:
        """Check f at args; options are those of `check.pair` and `check.gradients`.

        Returns:
            The report, when everything passed.

        Raises:
            CheckError: something did not; the message is the report, with the seed to replay it.
        """
        __tracebackhide__ = True
        return self._verdict(checked(f, args, options, rng_of(self.seed, f"{self.name} directions")))

    def multipliers(self, f: Callable[..., Any], args: Sequence[Any], **options: Any) -> check.Report:
        """`check.multipliers`, failing the test with its report."""
        __tracebackhide__ = True
        rng = rng_of(self.seed, f"{self.name} directions")  # not the data's: residuals would be the data
        return self._verdict(check.multipliers(f, args, rng=rng, **options))

    def certificate(self, solution: Any, problem: Any = None, **options: Any) -> check.Report:
        """`check.certificate`, failing the test with its report."""
        __tracebackhide__ = True
        return self._verdict(check.certificate(solution, problem, **options))

    def _verdict(self, report: check.Report) -> check.Report:
        __tracebackhide__ = True
        if not report:
            raise check.CheckError(f"{report!r}\n{replay(self.seed, self.name)}")
        return report


def replay(seed: int, name: str) -> str:
    """The command that runs one test again with the same directions."""
    return f'replay: pytest "{name}" --adjoint-seed={seed}'


# ---------------------------------------------------------------------------------------- the marker
def parametrize(metafunc: pytest.Metafunc, mark: pytest.Mark, seed: int) -> None:
    """One test for each sample, with the function's first parameters taken from it."""
    import pytest

    name = metafunc.function.__name__
    try:
        if sum(own.name == mark.name for own in metafunc.definition.own_markers) > 1:  # one would be lost
            raise TypeError(f"marker gradients of {name} is given twice; use samples={{'name': (x,), …}}")
        samples = _samples(mark, name)
        made = [
            _made(given, rng_of(seed, f"{metafunc.definition.nodeid} {key}"))
            for key, given in samples.items()
        ]
        names = _names(metafunc.function, {len(args) for args in made}, name)
    except (TypeError, ValueError) as error:
        pytest.fail(str(error), pytrace=False)
    ids = list(samples) if "samples" in mark.kwargs else None
    if ids is None:  # a single sample leaves the test its name, where pytest can do that
        ids = [getattr(pytest, "HIDDEN_PARAM", "args")]
    metafunc.parametrize(names, made, ids=ids)


def _samples(mark: pytest.Mark, name: str) -> dict[str, Any]:
    for key in mark.kwargs:
        if key not in KEYWORDS:
            raise TypeError(
                f"marker gradients of {name} has no option {key!r}; there are {', '.join(KEYWORDS)}"
            )
    given = [*mark.args, *(mark.kwargs[k] for k in ("args", "samples") if k in mark.kwargs)]
    if len(given) != 1:
        raise TypeError(
            f"marker gradients of {name} needs the arguments to check at: @pytest.mark.gradients((x,)), or "
            "samples={'name': (x,), …}"
        )
    samples = mark.kwargs.get("samples", {"": given[0]})
    if not isinstance(samples, Mapping) or not samples:
        raise TypeError(f"samples of marker gradients of {name} is a dict of tuples of arguments by name")
    return dict(samples)


def _made(given: Any, rng: np.random.Generator) -> tuple[Any, ...]:
    args = given(rng) if callable(given) else given
    if not isinstance(args, (tuple, list)):
        raise TypeError(
            "args of marker gradients must be a tuple of the function's arguments, (x,) for one, or a "
            f"function of a Generator that returns one; got {type(args).__name__}"
        )
    return tuple(args)


def _names(function: Callable[..., Any], counts: set[int], name: str) -> list[str]:
    """The parameters that the arguments go to; those after them are fixtures."""
    if len(counts) > 1:
        raise ValueError(
            f"samples of marker gradients of {name} have {sorted(counts)} arguments; give equally many"
        )
    count = counts.pop()
    names = [p for p in inspect.signature(function).parameters if p != "self"]
    if count > len(names):
        raise ValueError(
            f"marker gradients of {name} gives {count} arguments, the function takes {len(names)}"
        )
    return names[:count]


def run_marked(item: pytest.Function, mark: pytest.Mark, seed: int) -> None:
    """Check the marked function at its arguments; fixtures are passed on as they are."""
    import pytest

    known, params = inspect.signature(item.obj).parameters, item.callspec.params
    # of a fixture with `params`, the function gets what the fixture made of them
    names = [k for k in known if k in params and item.funcargs[k] is params[k]]
    fixtures = {k: item.funcargs[k] for k in known if k in item.funcargs and k not in names}

    def function(*args: Any) -> Any:
        return item.obj(**dict(zip(names, args, strict=True)), **fixtures)

    function.__name__ = item.originalname
    function.__signature__ = inspect.Signature([known[k] for k in names])  # type: ignore[attr-defined]
    options = {k: x for k, x in mark.kwargs.items() if k not in ("args", "samples")}
    args = tuple(params[k] for k in names)
    report = checked(function, args, options, rng_of(seed, f"{item.nodeid} directions"))
    if not report:
        pytest.fail(f"{report!r}\n{replay(seed, item.nodeid)}", pytrace=False)
