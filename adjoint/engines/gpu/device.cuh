// Functions that every kernel may call; this file stands before each of them.
//
// NVRTC has no standard headers: no INFINITY, NAN, <stdint.h>. Functions of floats come in two overloads with
// one meaning, and the one for float computes nothing in double.

#define DEVICE static __device__ __forceinline__

#define INF_F32 __int_as_float(0x7f800000)
#define NAN_F32 __int_as_float(0x7fffffff)
#define INF_F64 __longlong_as_double(0x7ff0000000000000ll)
#define NAN_F64 __longlong_as_double(0x7fffffffffffffffll)

// ------------------------------------------------------------------------------------ integers
// To overflow a signed type is undefined; unsigned arithmetic wraps, as NumPy's does, and the lowest bits are
// the same. The compiler finds the narrow instruction.
template <class T> DEVICE T plus(T a, T b) { return (T)((unsigned long long)a + (unsigned long long)b); }
template <class T> DEVICE T minus(T a, T b) { return (T)((unsigned long long)a - (unsigned long long)b); }
template <class T> DEVICE T times(T a, T b) { return (T)((unsigned long long)a * (unsigned long long)b); }
DEVICE float plus(float a, float b) { return a + b; }
DEVICE double plus(double a, double b) { return a + b; }
template <class T> DEVICE T absolute(T x) { return x < (T)0 ? minus((T)0, x) : x; }
template <class T> DEVICE T maximum(T x, T y) { return x > y ? x : y; }
template <class T> DEVICE T minimum(T x, T y) { return x < y ? x : y; }

// Quotients towards −∞ and remainders with the divisor's sign, as in Python; 0 where NumPy divides by 0. The
// smallest number by −1 overflows (it would stop a CPU), and wraps.
template <class T> DEVICE T floor_divide(T a, T b)
{
    if (b == (T)0) return (T)0;
    if ((T)(-1) < (T)0 && b == (T)(-1)) return minus((T)0, a);
    const T q = (T)(a / b), r = (T)(a % b);
    return r != (T)0 && (r < (T)0) != (b < (T)0) ? (T)(q - (T)1) : q;
}

template <class T> DEVICE T floor_remainder(T a, T b)
{
    if (b == (T)0 || ((T)(-1) < (T)0 && b == (T)(-1))) return (T)0;
    const T r = (T)(a % b);
    return r != (T)0 && (r < (T)0) != (b < (T)0) ? (T)(r + b) : r;
}

// ------------------------------------------------------------------------------------ floats
DEVICE float absolute(float x) { return fabsf(x); }
DEVICE double absolute(double x) { return fabs(x); }
// NaN passes through, where fmax ignores it.
DEVICE float maximum(float x, float y) { return x > y || x != x ? x : y; }
DEVICE double maximum(double x, double y) { return x > y || x != x ? x : y; }
DEVICE float minimum(float x, float y) { return x < y || x != x ? x : y; }
DEVICE double minimum(double x, double y) { return x < y || x != x ? x : y; }

// The library by one name, for the templates below.
DEVICE float exp_of(float x) { return expf(x); }
DEVICE double exp_of(double x) { return exp(x); }
DEVICE float exp2_of(float x) { return exp2f(x); }
DEVICE double exp2_of(double x) { return exp2(x); }
DEVICE float log_of(float x) { return logf(x); }
DEVICE double log_of(double x) { return log(x); }
DEVICE float log1p_of(float x) { return log1pf(x); }
DEVICE double log1p_of(double x) { return log1p(x); }
DEVICE float tan_of(float x) { return tanf(x); }
DEVICE double tan_of(double x) { return tan(x); }
DEVICE float rint_of(float x) { return rintf(x); }
DEVICE double rint_of(double x) { return rint(x); }
DEVICE float floor_of(float x) { return floorf(x); }
DEVICE double floor_of(double x) { return floor(x); }
DEVICE float fmod_of(float x, float y) { return fmodf(x, y); }
DEVICE double fmod_of(double x, double y) { return fmod(x, y); }
DEVICE float copysign_of(float x, float y) { return copysignf(x, y); }
DEVICE double copysign_of(double x, double y) { return copysign(x, y); }
DEVICE float fused(float x, float y, float z) { return fmaf(x, y, z); }
DEVICE double fused(double x, double y, double z) { return fma(x, y, z); }

// NumPy's quotient towards −∞: from the exact remainder, because a / b may round up to a whole number.
template <class T> DEVICE T float_floor_divide(T a, T b)
{
    if (b == (T)0) return a / b;
    T r = fmod_of(a, b);
    T q = (a - r) / b;
    if (r != (T)0 && (b < (T)0) != (r < (T)0)) q -= (T)1;
    if (q == (T)0) return copysign_of((T)0, a / b);
    const T whole = floor_of(q);
    return q - whole > (T)0.5 ? whole + (T)1 : whole;
}

template <class T> DEVICE T float_floor_remainder(T a, T b)
{
    const T r = fmod_of(a, b);
    if (r == (T)0) return copysign_of((T)0, b);
    return (b < (T)0) != (r < (T)0) ? r + b : r;
}

DEVICE float floor_divide(float a, float b) { return float_floor_divide(a, b); }
DEVICE double floor_divide(double a, double b) { return float_floor_divide(a, b); }
DEVICE float floor_remainder(float a, float b) { return float_floor_remainder(a, b); }
DEVICE double floor_remainder(double a, double b) { return float_floor_remainder(a, b); }

// 1 / (1 + e⁻ˣ): the exponential never overflows.
template <class T> DEVICE T expit(T x)
{
    const T e = exp_of(-absolute(x));
    return (x < (T)0 ? e : (T)1) / ((T)1 + e);
}

template <class T> DEVICE T log_expit(T x) { return minimum(x, (T)0) - log1p_of(exp_of(-absolute(x))); }

// A gap of 0 also between two equal infinities, whose difference is NaN.
template <class T> DEVICE T logaddexp(T x, T y)
{
    const T gap = x == y ? (T)0 : absolute(x - y);
    return (x > y ? x : y) + log1p_of(exp_of(-gap));
}

template <class T> DEVICE T logaddexp2(T x, T y)
{
    const T gap = x == y ? (T)0 : absolute(x - y);
    return (x > y ? x : y) + log1p_of(exp2_of(-gap)) * (T)1.4426950408889634;
}

// ------------------------------------------------------------------------------------ gamma
// −∞ at −∞, as in SciPy.
DEVICE float gammaln(float x) { return x > -INF_F32 ? lgammaf(x) : x; }
DEVICE double gammaln(double x) { return x > -INF_F64 ? lgamma(x) : x; }

// ψ. The polynomials are those of the CPU's vector mathematics, minimax fits for each format: ψ(1½ + t) without
// its root in t, on |t| ≤ ½, and x² (log x − 1/2x − ψ(x)) in 1/x², on x ≥ 8.
template <int N, class T> DEVICE T polynomial(T x, const T (&c)[N])
{
    T z = c[N - 1];
#pragma unroll
    for (int k = N - 2; k >= 0; --k) z = fused(z, x, c[k]);
    return z;
}

DEVICE float digamma_near(float w)
{
    const float c[] = {0.9510559f,  -0.42362747f, 0.24053839f,  -0.14839996f, 0.09511758f,
                       -0.06204016f, 0.039360534f, -0.02587134f, 0.023927258f, -0.016223421f};
    return ((w - 1.4616321325302124f) - 1.243815006546356e-08f) * polynomial(w - 1.5f, c);
}

DEVICE double digamma_near(double w)
{
    const double c[] = {
        0.951055876031833,     -0.4236274212814606,  0.24054248424077393,   -0.14840492305388994,
        0.09498872445498067,   -0.061922133274706914, 0.0407608338103601,   -0.02697579669074805,
        0.01790725249405307,   -0.011908219431787282, 0.007926943815978943, -0.005279946078210393,
        0.0035190140854556044, -0.0023454223839361513, 0.001556587766714005, -0.0010368331163263017,
        0.000723478678381508,  -0.00048476127935598377, 0.0002269422602879787, -0.0001469185764936897,
        0.0002599212714873505, -0.00017661115483098478};
    return ((w - 1.4616321449683622) - 9.549995429965697e-17) * polynomial(w - 1.5, c);
}

DEVICE float digamma_tail(float square)
{
    const float c[] = {0.08333333f, -0.008332178f, 0.0038444214f};
    return polynomial(square, c);
}

DEVICE double digamma_tail(double square)
{
    const double c[] = {0.08333333333333309,   -0.008333333332976738, 0.003968253779978084,
                        -0.004166618591510372, 0.007569075498306638,  -0.02057063172284824,
                        0.0612069268998582};
    return polynomial(square, c);
}

// x > 0: ψ(x) = ψ(x − 1) + 1/(x − 1) leads to 1 … 2; the steps are added up as one quotient.
template <class T> DEVICE T digamma_positive(T x)
{
    if (x >= (T)8) {
        const T inverse = (T)1 / x, square = inverse * inverse;
        return log_of(x) - fused(square, digamma_tail(square), (T)0.5 * inverse);
    }
    const bool below = x < (T)1;
    T w = below ? x + (T)1 : x, top = below ? (T)(-1) : (T)0, bottom = below ? x : (T)1;
    for (int j = 1; j < 7; ++j) {
        if (x < (T)(j + 1)) break;
        w = x - (T)j;
        top = fused(top, w, bottom);
        bottom *= w;
    }
    return digamma_near(w) + top / bottom;
}

// x < 0 by ψ(x) = ψ(1 − x) − π/tan πx, accurate to the larger term; a pole is NaN, and ψ(±0) = ∓∞.
template <class T> DEVICE T digamma(T x)
{
    if (x > (T)0) return digamma_positive(x);
    const T pi = (T)3.14159265358979323846;
    const T turn = x == (T)0 ? x : (x - rint_of(x)) * pi;
    if (x < (T)0 && turn == (T)0) return turn / turn;
    return digamma_positive((T)1 - x) - pi / tan_of(turn);
}

// ------------------------------------------------------------------------------------ threads together
struct Sum { template <class T> static __device__ __forceinline__ T of(T a, T b) { return plus(a, b); } };
struct Max { template <class T> static __device__ __forceinline__ T of(T a, T b) { return maximum(a, b); } };
struct Min { template <class T> static __device__ __forceinline__ T of(T a, T b) { return minimum(a, b); } };

// What the lane has whose number differs by `mask`; all lanes of the warp take part. Narrow types go as ints.
template <class T> DEVICE T exchanged(T x, int mask) { return (T)__shfl_xor_sync(0xffffffffu, (int)x, mask); }
DEVICE float exchanged(float x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }
DEVICE double exchanged(double x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }
DEVICE long long exchanged(long long x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }
DEVICE unsigned long long exchanged(unsigned long long x, int mask)
{
    return __shfl_xor_sync(0xffffffffu, x, mask);
}

// Over G neighbouring lanes, G ≤ 32 a power of two: the same result in each of them, in one fixed order.
template <class Op, int G, class T> DEVICE T over_lanes(T x)
{
#pragma unroll
    for (int mask = G / 2; mask > 0; mask /= 2) x = Op::of(x, exchanged(x, mask));
    return x;
}

// Over a block: every warp leaves its part, and after a barrier every thread gathers them, in order.
template <class T> DEVICE void leave(T x, T* parts)
{
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
}

template <class Op, int W, class T> DEVICE T gathered(const T* parts)
{
    T z = parts[0];
#pragma unroll
    for (int k = 1; k < W; ++k) z = Op::of(z, parts[k]);
    return z;
}

// ------------------------------------------------------------------------------------ memory
// V neighbouring elements, loaded and stored by one instruction where they lie at a multiple of their size.
template <class T, int V> struct __align__(sizeof(T) * V <= 16 ? sizeof(T) * V : 16) Pack { T at[V]; };

template <int V, class T> DEVICE bool aligned(const T* p)
{
    return (unsigned long long)p % alignof(Pack<T, V>) == 0;
}

// `left` elements remain; where that is fewer than V, or `whole` is false, one by one.
template <int V, class T> DEVICE Pack<T, V> fetch(const T* p, bool whole, long long left)
{
    if (whole) return *(const Pack<T, V>*)p;
    Pack<T, V> z;
#pragma unroll
    for (int k = 0; k < V; ++k) z.at[k] = k < left ? p[k] : (T)0;
    return z;
}

template <int V, class T> DEVICE void put(T* p, const Pack<T, V>& z, bool whole, long long left)
{
    if (whole) {
        *(Pack<T, V>*)p = z;
        return;
    }
#pragma unroll
    for (int k = 0; k < V; ++k)
        if (k < left) p[k] = z.at[k];
}

// A pointer some bytes on: what a chunk adds up lies beside what the others do.
template <class T> DEVICE T* moved(T* p, long long bytes) { return (T*)((char*)p + bytes); }

// The kernel reports that something is wrong.
DEVICE void fail(int* status) { atomicExch(status, 1); }
