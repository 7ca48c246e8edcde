// The card's mathematics by the host's: each function in double, with f in float, and overloaded.
#pragma once

#define EMU_FUNCTION1(name) \
    extern "C" double name(double); \
    extern "C" float name##f(float); \
    EMU float name(float x) { return name##f(x); }
#define EMU_FUNCTION2(name) \
    extern "C" double name(double, double); \
    extern "C" float name##f(float, float); \
    EMU float name(float x, float y) { return name##f(x, y); }
// Those that glibc lacks are in functions.cpp, in double; a float is rounded once.
#define EMU_OWN1(name) \
    extern "C" double emu_##name(double); \
    EMU double name(double x) { return emu_##name(x); } \
    EMU float name##f(float x) { return (float)emu_##name(x); } \
    EMU float name(float x) { return name##f(x); }

EMU_FUNCTION1(acos) EMU_FUNCTION1(acosh) EMU_FUNCTION1(asin) EMU_FUNCTION1(asinh) EMU_FUNCTION1(atan)
EMU_FUNCTION1(atanh) EMU_FUNCTION1(cbrt) EMU_FUNCTION1(ceil) EMU_FUNCTION1(cos) EMU_FUNCTION1(cosh)
EMU_FUNCTION1(erf) EMU_FUNCTION1(erfc) EMU_FUNCTION1(exp) EMU_FUNCTION1(exp10) EMU_FUNCTION1(exp2)
EMU_FUNCTION1(expm1) EMU_FUNCTION1(fabs) EMU_FUNCTION1(floor) EMU_FUNCTION1(j0) EMU_FUNCTION1(j1)
EMU_FUNCTION1(lgamma) EMU_FUNCTION1(log) EMU_FUNCTION1(log10) EMU_FUNCTION1(log1p) EMU_FUNCTION1(log2)
EMU_FUNCTION1(logb) EMU_FUNCTION1(nearbyint) EMU_FUNCTION1(rint) EMU_FUNCTION1(round) EMU_FUNCTION1(sin)
EMU_FUNCTION1(sinh) EMU_FUNCTION1(sqrt) EMU_FUNCTION1(tan) EMU_FUNCTION1(tanh) EMU_FUNCTION1(tgamma)
EMU_FUNCTION1(trunc) EMU_FUNCTION1(y0) EMU_FUNCTION1(y1) EMU_FUNCTION2(atan2) EMU_FUNCTION2(copysign)
EMU_FUNCTION2(fdim) EMU_FUNCTION2(fmax) EMU_FUNCTION2(fmin) EMU_FUNCTION2(fmod) EMU_FUNCTION2(hypot)
EMU_FUNCTION2(nextafter) EMU_FUNCTION2(pow) EMU_FUNCTION2(remainder) EMU_OWN1(cospi) EMU_OWN1(cyl_bessel_i0)
EMU_OWN1(cyl_bessel_i1) EMU_OWN1(erfcinv) EMU_OWN1(erfcx) EMU_OWN1(erfinv) EMU_OWN1(normcdf)
EMU_OWN1(normcdfinv) EMU_OWN1(rcbrt) EMU_OWN1(rsqrt) EMU_OWN1(sinpi)

extern "C" {
double fma(double, double, double);
float fmaf(float, float, float);
double ldexp(double, int);
float ldexpf(float, int);
double frexp(double, int *);
float frexpf(float, int *);
double modf(double, double *);
float modff(float, float *);
int ilogb(double);
int ilogbf(float);
long long llrint(double);
long long llrintf(float);
long long llround(double);
}
EMU float fma(float x, float y, float z) { return fmaf(x, y, z); }
EMU float ldexp(float x, int n) { return ldexpf(x, n); }
EMU double scalbn(double x, int n) { return ldexp(x, n); }
EMU float scalbnf(float x, int n) { return ldexpf(x, n); }
EMU void sincos(double x, double *s, double *c) { *s = sin(x), *c = cos(x); }
EMU void sincosf(float x, float *s, float *c) { *s = sinf(x), *c = cosf(x); }
EMU bool isnan(double x) { return __builtin_isnan(x); }
EMU bool isnan(float x) { return __builtin_isnan(x); }
EMU bool isinf(double x) { return __builtin_isinf(x); }
EMU bool isinf(float x) { return __builtin_isinf(x); }
EMU bool isfinite(double x) { return __builtin_isfinite(x); }
EMU bool isfinite(float x) { return __builtin_isfinite(x); }
EMU bool signbit(double x) { return __builtin_signbit(x); }
EMU bool signbit(float x) { return __builtin_signbit(x); }

#define EMU_INTEGER_ORDER(type) \
    EMU type max(type a, type b) { return a < b ? b : a; } \
    EMU type min(type a, type b) { return b < a ? b : a; }
EMU_INTEGER_ORDER(int) EMU_INTEGER_ORDER(unsigned) EMU_INTEGER_ORDER(long) EMU_INTEGER_ORDER(unsigned long)
EMU_INTEGER_ORDER(long long) EMU_INTEGER_ORDER(unsigned long long)
EMU float max(float a, float b) { return fmaxf(a, b); }
EMU float min(float a, float b) { return fminf(a, b); }
EMU double max(double a, double b) { return fmax(a, b); }
EMU double min(double a, double b) { return fmin(a, b); }
EMU int abs(int x) { return x < 0 ? -x : x; }
EMU long abs(long x) { return x < 0 ? -x : x; }
EMU long long abs(long long x) { return x < 0 ? -x : x; }
EMU float abs(float x) { return fabsf(x); }
EMU double abs(double x) { return fabs(x); }
EMU long long llabs(long long x) { return x < 0 ? -x : x; }

// ---------------------------------------------------------------- intrinsics
template <class To, class From>
EMU To emu_bits(From value) {
    static_assert(sizeof(To) == sizeof(From), "a cast of bits keeps the width");
    To result;
    __builtin_memcpy(&result, &value, sizeof value);
    return result;
}
EMU float __int_as_float(int x) { return emu_bits<float>(x); }
EMU float __uint_as_float(unsigned x) { return emu_bits<float>(x); }
EMU int __float_as_int(float x) { return emu_bits<int>(x); }
EMU unsigned __float_as_uint(float x) { return emu_bits<unsigned>(x); }
EMU double __longlong_as_double(long long x) { return emu_bits<double>(x); }
EMU long long __double_as_longlong(double x) { return emu_bits<long long>(x); }
EMU int __double2hiint(double x) { return (int)(emu_bits<long long>(x) >> 32); }
EMU int __double2loint(double x) { return (int)emu_bits<long long>(x); }
EMU double __hiloint2double(int high, int low) {
    return emu_bits<double>((long long)high << 32 | (unsigned)low);
}
EMU float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
EMU double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
// Never contracted to a fused multiply-add: out of the optimizer's sight.
#define EMU_ROUNDED(name, type, sign) \
    EMU_HERE __attribute__((noinline, unused)) static type name(type x, type y) { return x sign y; }
EMU_ROUNDED(__fadd_rn, float, +) EMU_ROUNDED(__fsub_rn, float, -) EMU_ROUNDED(__fmul_rn, float, *)
EMU_ROUNDED(__fdiv_rn, float, /) EMU_ROUNDED(__dadd_rn, double, +) EMU_ROUNDED(__dsub_rn, double, -)
EMU_ROUNDED(__dmul_rn, double, *) EMU_ROUNDED(__ddiv_rn, double, /)
EMU float __frcp_rn(float x) { return 1.0f / x; }
EMU float __fsqrt_rn(float x) { return sqrtf(x); }
EMU double __dsqrt_rn(double x) { return sqrt(x); }
EMU float __fdividef(float x, float y) { return x / y; }
EMU float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
#define __expf expf  // glibc has functions of these names, which are something else
#define __logf logf
#define __log2f log2f
#define __powf powf
#define __sinf sinf
#define __cosf cosf
EMU int __float2int_rn(float x) { return (int)llrintf(x); }
EMU int __float2int_rz(float x) { return (int)x; }
EMU int __float2int_rd(float x) { return (int)floorf(x); }
EMU int __double2int_rn(double x) { return (int)llrint(x); }
EMU long long __double2ll_rn(double x) { return llrint(x); }
EMU long long __double2ll_rd(double x) { return (long long)floor(x); }
EMU float __double2float_rn(double x) { return (float)x; }
EMU int __clz(int x) { return x ? __builtin_clz(x) : 32; }
EMU int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
EMU int __ffs(int x) { return __builtin_ffs(x); }
EMU int __popc(unsigned x) { return __builtin_popcount(x); }
EMU int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
EMU unsigned __umulhi(unsigned x, unsigned y) { return (unsigned long long)x * y >> 32; }
EMU int __mulhi(int x, int y) { return (int)((long long)x * y >> 32); }
EMU unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return (unsigned __int128)x * y >> 64;
}
EMU unsigned __brev(unsigned x) {
    unsigned result = 0;
    for (int k = 0; k < 32; k++) result |= (x >> k & 1) << (31 - k);
    return result;
}
