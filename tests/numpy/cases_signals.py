"""Rows of the table: convolution, interpolation, differences, quadrature, polynomials."""

from __future__ import annotations

import numpy as np

import adjoint.numpy as anp

from .harness import Case, case, positive

KNOTS = np.array([-2.0, -0.7, 0.1, 0.5, 1.9])
PLACES = np.array([[-3.0, -1.2, 0.3], [1.0, 1.7, 2.5]])
STEPS = np.array([0.5, 0.8, 0.3, 1.1, 0.4])


def rising(*shape):
    """Coordinates that rise, by steps that are not equal."""
    return lambda rng: np.cumsum(rng.uniform(0.3, 1.2, shape), axis=-1) - 2.0


SIGNALS: list[Case] = [
    case("sinc", lambda x: np.sinc(x), (2, 3)),
    case("sinc 0-d", lambda x: np.sinc(x), ()),
    case("sinc at 0", lambda x: np.sinc(x), np.array([0.0, 1e-9, -1e-5, 1e-3, 0.3, 2.0])),
    *(
        case(f"convolve {mode} {n} {m}", lambda x, y, mode=mode: np.convolve(x, y, mode), (n,), (m,))
        for mode in ("full", "same", "valid")
        for n, m in ((6, 3), (2, 5), (4, 4), (3, 2))
    ),
    *(
        case(f"correlate {mode} {n} {m}", lambda x, y, mode=mode: np.correlate(x, y, mode), (n,), (m,))
        for mode in ("full", "same", "valid")
        for n, m in ((6, 3), (2, 5), (5, 2), (4, 4))
    ),
    case("correlate default", lambda x: np.correlate([1.0, -2.0], x), (4,)),
    case(
        "correlate complex",
        lambda x, y: np.abs(np.correlate(x + 1j * x**2, x - 1j * y, "full")),
        (4,),
        (4,),
    ),
    case("convolve default", lambda x: np.convolve(x, [1.0, -2.0]), (4,)),
    case("convolve scalar", lambda x, y: np.convolve(x, y), (4,), ()),
    case("convolve itself", lambda x: np.convolve(x, x, mode="same"), (5,)),
    case("interp", lambda x, f: np.interp(x, KNOTS, f), PLACES, (5,)),
    case("interp scalar", lambda x: np.interp(x, KNOTS, STEPS), np.float64(0.2)),
    case("interp knots", lambda t, f: np.interp(PLACES, t, f), rising(6), (6,)),
    case("interp ends", lambda x, a, b: anp.interp(x, KNOTS, STEPS, a, right=b), PLACES, (), ()),
    case("interp end", lambda x: np.interp(x, KNOTS, STEPS, left=-1), PLACES),
    case("interp one knot", lambda x, f: np.interp(x, [0.5], f) + x, PLACES, (1,)),
    case("interp a jump", lambda x, f: np.interp(x, [0.0, 0.0, 1.2, 1.2], f), PLACES, (4,)),
    case("interp periodic", lambda x, f: np.interp(x, [0.35, 2.9, 1.4], f, period=3.1), PLACES, (3,)),
    case(
        "interp periodic knots",
        lambda x, t, p: anp.interp(x, t[::-1], STEPS[:4], period=-p - 4.0),
        PLACES,
        rising(4),
        positive(),
    ),
    case("gradient", lambda x: np.gradient(x), (5,)),
    case("gradient axes", lambda x: np.gradient(x), (3, 4)),
    case("gradient axis", lambda x: np.gradient(x, axis=-1), (2, 5)),
    case("gradient order of axes", lambda x: np.gradient(x, 0.5, 2, axis=(1, 0)), (3, 4)),
    case("gradient edge 2", lambda x: np.gradient(x, edge_order=2), (3, 4)),
    case("gradient spacing", lambda x, h: np.gradient(x, h), (3, 4), positive()),
    case("gradient edge 2 spacing", lambda x, h: np.gradient(x, h, edge_order=2, axis=0), (4, 2), positive()),
    case("gradient coordinates", lambda x, t: np.gradient(x, t, axis=1), (2, 6, 2), rising(6)),
    case("gradient edge 2 coordinates", lambda x, t: np.gradient(x, t, edge_order=2), (5,), rising(5)),
    case("gradient integers", lambda x: np.gradient(x, [0, 1, 3, 4], 2.0), (4, 3)),
    case("gradient two", lambda x: np.gradient(x), (2,)),
    case("trapezoid", lambda x: np.trapezoid(x), (3, 4)),
    case("trapezoid dx", lambda x: np.trapezoid(x, dx=0.3, axis=0), (3, 4)),
    case("trapezoid x", lambda y, x: np.trapezoid(y, x, axis=1), (2, 5, 3), rising(5)),
    case("trapezoid xs", lambda y, x: np.trapezoid(y, x), (2, 5), rising(2, 5)),
    case("trapezoid one", lambda x: np.trapezoid(x), (2, 1)),
    case("polyval", lambda p, x: np.polyval(p, x), (4,), (2, 3)),
    case("polyval scalar", lambda p, x: np.polyval(p, x), (3,), ()),
    case("polyval numbers", lambda x: np.polyval([2, 0, -1.5], x), (3,)),
    case("polyval places", lambda p: np.polyval(p, np.arange(3.0).astype(p.dtype)), (3,)),
    case("polyval none", lambda p, x: np.polyval(p, x), (0,), (2,)),
    case("vander", lambda x: np.vander(x), (3,)),
    case("vander wide", lambda x: np.vander(x, 5, increasing=True), (3,)),
    case("vander at 0", lambda x: np.vander(x, 4), np.array([0.0, 1.0, -2.0])),
    case("roots", lambda p: np.real(np.roots(p) + 0j), np.poly([2.0, -1.0, 0.3])),
    case(
        "roots complex", lambda p: (lambda r: (r.real, r.imag))(np.roots(p)), np.array([1.0, 0.5, 2.0, 0.7])
    ),
]
