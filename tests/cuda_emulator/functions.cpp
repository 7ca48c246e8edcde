// Functions that CUDA has and glibc lacks, in double, most of them by long double.
#include <cmath>

#define EXPORT extern "C" __attribute__((visibility("default")))
constexpr long double PI = 3.14159265358979323846264338327950288L;
constexpr long double ROOT_2 = 1.41421356237309504880168872420969808L;
constexpr long double TWO_OVER_ROOT_PI = 1.12837916709551257389615890312154517L;

EXPORT double emu_rsqrt(double x) { return (double)(1 / sqrtl(x)); }
EXPORT double emu_rcbrt(double x) { return (double)(1 / cbrtl(x)); }
EXPORT double emu_sinpi(double x) {  // fmodl is exact, so that whole numbers give zero
    long double rest = fmodl(x, 2);
    return rest == truncl(rest) ? std::copysign(0.0, x) : (double)sinl(PI * rest);
}
EXPORT double emu_cospi(double x) {
    long double rest = fabsl(fmodl(x, 2));
    return rest == 0.5L || rest == 1.5L ? 0.0 : (double)cosl(PI * rest);
}
EXPORT double emu_normcdf(double x) { return (double)(0.5L * erfcl(-(long double)x / ROOT_2)); }

EXPORT double emu_erfcx(double x) {
    if (x < 8) return (double)(expl((long double)x * x) * erfcl(x));
    long double tail = 0;  // the continued fraction of Laplace
    for (int k = 60; k > 0; k--) tail = k / 2.0L / (x + tail);
    return (double)(TWO_OVER_ROOT_PI / 2 / (x + tail));
}

// Solves erfc(x) = y by Newton's method on its logarithm, which is nearly a parabola.
EXPORT double emu_erfcinv(double y) {
    if (!(y >= 0 && y <= 2)) return __builtin_nan("");
    if (y == 0) return __builtin_inf();
    if (y == 2) return -__builtin_inf();
    if (y > 1) return -emu_erfcinv(2 - y);
    long double x = y > 0.1 ? (1 - y) / TWO_OVER_ROOT_PI : sqrtl(-logl(y * sqrtl(PI) * sqrtl(-logl(y))));
    for (int k = 0; k < 60; k++) {
        long double value = erfcl(x), step = value / (TWO_OVER_ROOT_PI * expl(-x * x)) * logl(value / y);
        x += step;
        if (fabsl(step) <= 1e-18L * fabsl(x)) break;
    }
    return (double)x;
}
EXPORT double emu_erfinv(double y) {
    if (!(fabs(y) <= 1)) return __builtin_nan("");
    if (fabs(y) >= 0.5) return y > 0 ? emu_erfcinv(1 - y) : -emu_erfcinv(1 + y);
    long double x = y / TWO_OVER_ROOT_PI;
    for (int k = 0; k < 30; k++) x -= (erfl(x) - y) / (TWO_OVER_ROOT_PI * expl(-x * x));
    return y == 0 ? y : (double)x;
}
EXPORT double emu_normcdfinv(double p) { return (double)(-ROOT_2 * emu_erfcinv(2 * p)); }

// Modified Bessel functions: the power series, all of whose terms are positive; beyond 30 the asymptotic one.
static double bessel_i(double x, int order) {
    long double a = fabsl(x), sum, term;
    if (a < 30) {
        sum = term = order ? a / 2 : 1;
        for (int k = 1; term > 1e-22L * sum; k++) sum += term *= a * a / 4 / k / (k + order);
    } else {
        sum = term = 1;
        for (int k = 1; k < 40; k++) sum += term *= -(4.0L * order - (2 * k - 1) * (2 * k - 1)) / (8 * a * k);
        sum *= expl(a) / sqrtl(2 * PI * a);
    }
    return (double)(order && x < 0 ? -sum : sum);
}
EXPORT double emu_cyl_bessel_i0(double x) { return bessel_i(x, 0); }
EXPORT double emu_cyl_bessel_i1(double x) { return bessel_i(x, 1); }
