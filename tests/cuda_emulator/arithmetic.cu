// What atomics, vectors, indices and casts of bits do; test_emulator.py has the results.

extern "C" __global__ void atomics(int *whole, unsigned *natural, unsigned long long *wide, float *f,
                                   double *d) {
    int t = threadIdx.x;
    atomicAdd(&whole[0], t);
    atomicMax(&whole[1], t - 50);
    atomicMin(&whole[2], t - 50);
    atomicSub(&whole[3], 1);
    atomicOr(&whole[4], 1 << t % 20);
    atomicAnd(&whole[5], ~(1 << t % 20));
    atomicXor(&whole[6], 1 << t % 20);
    if (atomicCAS(&whole[7], 0, 1) == 0) atomicAdd(&whole[8], 1);
    atomicExch(&whole[9], 5);
    atomicInc(&natural[0], 9);
    atomicDec(&natural[1], 9);
    atomicAdd(&wide[0], 1ull << 40);
    atomicMax(&wide[1], (unsigned long long)t);
    atomicAdd(f, 0.25f);
    atomicAdd(d, 0.125);
}

extern "C" __global__ void places(int *out) {
    int t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    int b = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    int size = blockDim.x * blockDim.y * blockDim.z;
    out[b * size + t] = b * size + t + 1000000 * (warpSize == 32);
}

// The number of blocks and of threads that ran before.
extern "C" __global__ void turns(int *count, int *out) {
    out[blockIdx.x * blockDim.x + threadIdx.x] = atomicAdd(count, 1);
}

extern "C" __global__ void small_floats(const float *x, float *y) { y[threadIdx.x] = x[threadIdx.x] * 0.5f; }

extern "C" __global__ void small_doubles(const double *x, double *y) {
    y[threadIdx.x] = x[threadIdx.x] * 0.5;
}

extern "C" __global__ void vectors(float4 *a, double2 *b, int4 *c, uchar4 *d, float2 *e) {
    int t = threadIdx.x;
    float4 v = a[t];
    a[t] = make_float4(v.w, v.z, v.y, v.x);
    b[t] = make_double2(b[t].y, b[t].x);
    int4 w = c[t];
    w.x += w.y + w.z + w.w;
    c[t] = w;
    d[t] = make_uchar4(d[t].w, d[t].z, d[t].y, d[t].x);
    e[t].x = 2.0f * e[t].y;
}

extern "C" __global__ void bits(const float *x, const double *z, const int *k, int *out) {
    int t = threadIdx.x;
    bool same = __float_as_int(x[0]) == (int)__float_as_uint(x[0]);
    out[0] = same && __int_as_float(__float_as_int(x[1])) == x[1];
    out[1] = __longlong_as_double(__double_as_longlong(z[t])) == z[t];
    out[2] = __hiloint2double(__double2hiint(z[t]), __double2loint(z[t])) == z[t];
    out[3] = __clz(k[0]);
    out[4] = __clzll((long long)k[0]);
    out[5] = __ffs(k[0]);
    out[6] = __popc((unsigned)k[0]);
    out[7] = (int)(__brev((unsigned)k[0]) >> 16);
    out[8] = (int)__umulhi(0x80000000u, (unsigned)k[0]);
    out[9] = __float2int_rn(2.5f) + 10 * __float2int_rn(3.5f) + 100 * __float2int_rd(-0.5f);
    out[10] = max(k[0], 7) + min(-3, k[0]) + abs(-k[0]);
    out[11] = isnan(x[2]) + 2 * isinf(x[3]) + 4 * isfinite(x[0]) + 8 * signbit(x[4]) + 16 * isnan(z[1]);
    // a product that is rounded leaves a remainder, a fused one does not
    out[12] = __fmaf_rn(x[5], x[5], -__fmul_rn(x[5], x[5])) != 0.0f;
    out[13] = __fadd_rn(__fmul_rn(x[5], x[5]), -__fmul_rn(x[5], x[5])) == 0.0f;
    out[14] = (int)__ldg(&x[6]);
    out[15] = x[5] * x[5] - __fmul_rn(x[5], x[5]) != 0.0f;  // fused by the compiler
}
