// What NVRTC knows without any include, for g++ on the host: goes before unmodified kernel source.
// No standard header, so that source which leans on one (INFINITY, NAN, uint32_t, printf …) fails here as
// well.
#pragma once
#include "runtime.h"

typedef __SIZE_TYPE__ size_t;

#define __device__
#define __host__
#define __constant__ const
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define __align__(n) __attribute__((aligned(n)))
#define __global__ static __attribute__((noinline, used))
#define __CUDACC_RTC__ 1
#define __CUDACC__ 1
#define __CUDA_ARCH__ 800

#define threadIdx emu_thread()
#define blockIdx emu_block()
#define blockDim emu_block_size()
#define gridDim emu_grid_size()
#define warpSize 32

// Functions of this header are the card's instructions: the checker sees them by what they tell it, and not
// otherwise.
#define EMU_HERE __attribute__((no_sanitize("thread", "alignment")))
#define EMU EMU_HERE static inline

// The harness turns `__shared__ T a[32];` into EMU_SHARED(T, a, [32]) and `extern __shared__ T a[];` into
// EMU_DYNAMIC.
#define EMU_SHARED(type, name, size) \
    typedef type emu_type_##name size; \
    static emu_array emu_array_##name = {sizeof(emu_type_##name), alignof(emu_type_##name), #name, 0, 0}; \
    emu_type_##name &name = *(emu_type_##name *)emu_shared(&emu_array_##name);
#define EMU_DYNAMIC(type, name) \
    typedef type emu_type_##name; \
    emu_type_##name *name = (emu_type_##name *)emu_dynamic(alignof(emu_type_##name));

// ---------------------------------------------------------------- vectors: aligned as the card wants them
#define EMU_PAIR(name, type) \
    struct __align__(2 * sizeof(type)) name { \
        type x, y; \
    }; \
    EMU name make_##name(type a, type b) { return name{a, b}; }
#define EMU_VECTORS(name, type) \
    EMU_PAIR(name##2, type) \
    struct __align__(4 * sizeof(type)) name##4 { \
        type x, y, z, w; \
    }; \
    EMU name##4 make_##name##4(type a, type b, type c, type d) { return name##4{a, b, c, d}; }
EMU_VECTORS(char, signed char)
EMU_VECTORS(uchar, unsigned char)
EMU_VECTORS(short, short)
EMU_VECTORS(ushort, unsigned short)
EMU_VECTORS(int, int)
EMU_VECTORS(uint, unsigned)
EMU_VECTORS(float, float)
EMU_PAIR(longlong2, long long)
EMU_PAIR(ulonglong2, unsigned long long)
EMU_PAIR(double2, double)

// ---------------------------------------------------------------- threads of a block
#define __syncthreads() emu_barrier(__LINE__, 0, 0)
#define __syncthreads_count(p) (emu_barrier(__LINE__, 1, !!(p)), emu_barrier_result())
#define __syncthreads_or(p) (emu_barrier(__LINE__, 2, !!(p)), emu_barrier_result() != 0)
#define __syncthreads_and(p) (emu_barrier(__LINE__, 3, !(p)), emu_barrier_result() == 0)
EMU void emu_warp(int line, unsigned mask = 0xffffffffu) { emu_warp_barrier(mask, line); }
#define __syncwarp(...) emu_warp(__LINE__ __VA_OPT__(, ) __VA_ARGS__)
#define __any_sync(mask, p) (emu_vote(mask, !!(p), __LINE__) != 0)
#define __all_sync(mask, p) (emu_vote(mask, !(p), __LINE__) == 0)
#define __ballot_sync(mask, p) emu_vote(mask, !!(p), __LINE__)

template <class T>
EMU T emu_give(int how, int line, unsigned mask, T value, int lane, int width = 32) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
    unsigned long bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    bits = emu_shuffle(mask, bits, how, lane, width, line);
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}
#define __shfl_sync(mask, value, ...) emu_give(EMU_INDEX, __LINE__, mask, value, __VA_ARGS__)
#define __shfl_up_sync(mask, value, ...) emu_give(EMU_UP, __LINE__, mask, value, __VA_ARGS__)
#define __shfl_down_sync(mask, value, ...) emu_give(EMU_DOWN, __LINE__, mask, value, __VA_ARGS__)
#define __shfl_xor_sync(mask, value, ...) emu_give(EMU_XOR, __LINE__, mask, value, __VA_ARGS__)
EMU void __threadfence() {}
EMU void __threadfence_block() {}

// ---------------------------------------------------------------- memory
#define EMU_ATOMIC_FUNCTION(name, type, result) \
    EMU type name(type *place, type value) { \
        emu_touch(place, sizeof *place, EMU_ATOMIC); \
        type old = *place; \
        *place = result; \
        return old; \
    }
#define EMU_ATOMIC_INTEGERS(name, result) \
    EMU_ATOMIC_FUNCTION(name, int, result) \
    EMU_ATOMIC_FUNCTION(name, unsigned, result) \
    EMU_ATOMIC_FUNCTION(name, unsigned long long, result)
EMU_ATOMIC_INTEGERS(atomicAdd, old + value)
EMU_ATOMIC_FUNCTION(atomicAdd, float, old + value)
EMU_ATOMIC_FUNCTION(atomicAdd, double, old + value)
EMU_ATOMIC_FUNCTION(atomicSub, int, old - value)
EMU_ATOMIC_FUNCTION(atomicSub, unsigned, old - value)
EMU_ATOMIC_INTEGERS(atomicMin, value < old ? value : old)
EMU_ATOMIC_FUNCTION(atomicMin, long long, value < old ? value : old)
EMU_ATOMIC_INTEGERS(atomicMax, value > old ? value : old)
EMU_ATOMIC_FUNCTION(atomicMax, long long, value > old ? value : old)
EMU_ATOMIC_INTEGERS(atomicAnd, old &value)
EMU_ATOMIC_INTEGERS(atomicOr, old | value)
EMU_ATOMIC_INTEGERS(atomicXor, old ^ value)
EMU_ATOMIC_INTEGERS(atomicExch, value)
EMU_ATOMIC_FUNCTION(atomicExch, float, value)
EMU_ATOMIC_FUNCTION(atomicInc, unsigned, old >= value ? 0 : old + 1)
EMU_ATOMIC_FUNCTION(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)
#define EMU_COMPARE_AND_SWAP(type) \
    EMU type atomicCAS(type *place, type expected, type value) { \
        emu_touch(place, sizeof *place, EMU_ATOMIC); \
        type old = *place; \
        if (old == expected) *place = value; \
        return old; \
    }
EMU_COMPARE_AND_SWAP(int)
EMU_COMPARE_AND_SWAP(unsigned)
EMU_COMPARE_AND_SWAP(unsigned short)
EMU_COMPARE_AND_SWAP(unsigned long long)

template <class T>
static inline T __ldg(const T *place) {
    return *place;
}
template <class T>
static inline T __ldcs(const T *place) {
    return *place;
}
template <class T>
static inline void __stcs(T *place, T value) {
    *place = value;
}

#include "mathematics.h"

// ---------------------------------------------------------------- a kernel's parameters
template <class T>
struct emu_kind {
    static const char value = 'i';
};
template <>
struct emu_kind<bool> {
    static const char value = 'b';
};
template <>
struct emu_kind<float> {
    static const char value = 'F';
};
template <>
struct emu_kind<double> {
    static const char value = 'f';
};
template <class T>
struct emu_kind<T *> {
    static const char value = 'p';
};
template <>
struct emu_kind<float *> {
    static const char value = 'P';
};
template <>
struct emu_kind<const float *> {
    static const char value = 'P';
};
template <int...>
struct emu_places {};
// Parameters come as cuLaunchKernel takes them: the address of each.
template <auto kernel, class Type = decltype(kernel)>
struct emu_entry;
template <auto kernel, class... A>
struct emu_entry<kernel, void (*)(A...)> {
    static_assert(((sizeof(A) <= 8) && ...), "parameters are pointers and numbers");
    static constexpr char signature[] = {(char)('0' + sizeof(A))..., emu_kind<A>::value..., 0};
    template <int... I>
    EMU_HERE static void spread(void **arguments, emu_places<I...>) {
        kernel(*(A *)arguments[I]...);
    }
    EMU_HERE static void call(void **arguments) {
        spread(arguments, emu_places<__integer_pack(sizeof...(A))...>());
    }
};
#define EMU_KERNEL(key, kernel) {key, emu_entry<kernel>::signature, emu_entry<kernel>::call},

// What the harness finds in a compiled batch: its kernels, and the memory that its constants lie in.
extern "C" {
extern __attribute__((visibility("default"))) const emu_kernel emu_kernels[];
extern __attribute__((visibility("hidden"))) char __ehdr_start, _end;
extern __attribute__((visibility("default"))) const char *const emu_image_bounds[];
const char *const emu_image_bounds[] = {&__ehdr_start, &_end};
}
