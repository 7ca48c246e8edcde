// Kernels without fault; test_emulator.py has their results. KERNEL is that of faults.cu.

__constant__ float TABLE[2] = {2.0f, 3.0f};

template <class T>
__device__ __forceinline__ T block_maximum(T value) {
    __shared__ T seen[32];
    for (int step = 16; step; step /= 2) value = max(value, __shfl_xor_sync(0xffffffffu, value, step));
    if (threadIdx.x % 32 == 0) seen[threadIdx.x / 32] = value;
    __syncthreads();
    value = seen[0];
    for (int k = 1; k < blockDim.x / 32; k++) value = max(value, seen[k]);
    __syncthreads();
    return value;
}

KERNEL(reverse) {
    __shared__ float s[128];
    s[t] = x[i];
    __syncthreads();
    y[i] = s[127 - t];
}

KERNEL(in_place) {
    y[i] = x[i];
    y[i] = y[i] * 2.0f;
}

KERNEL(warp_neighbour) {
    __shared__ float s[128];
    s[t] = x[i];
    __syncwarp();
    y[i] = s[t ^ 1];
}

KERNEL(eighths_of_a_warp) {
    __shared__ float s[128];
    unsigned m = 0xfu << (t & 28);
    s[t] = x[i];
    __syncwarp(m);
    float v = s[t ^ 3];
    __syncwarp(m);
    s[t] = v;
    y[i] = s[t];
}

KERNEL(read_by_all_then_written) {
    __shared__ float s[128];
    s[t] = x[i];
    __syncthreads();
    float v = s[0] + s[127];
    __syncthreads();
    s[t] = v;
    y[i] = s[t];
}

KERNEL(shuffle) {
    y[i] = __shfl_xor_sync(0xffffffffu, x[i], 31);
}

KERNEL(shuffle_width) {
    y[i] = __shfl_sync(0xffffffffu, x[i], 1, 8);
}

KERNEL(shuffle_up) {
    float v = __shfl_up_sync(0xffffffffu, x[i], 1);
    y[i] = v;
}

KERNEL(shuffle_down_in_quarters) {
    y[i] = __shfl_down_sync(0xffffffffu, x[i], 2, 4);
}

KERNEL(shuffle_of_doubles) {
    y[i] = (float)__shfl_sync(0xffffffffu, (double)x[i] * 3, 5);
}

KERNEL(half_a_warp) {
    float v = x[i];
    if (t % 32 < 16) v = __shfl_xor_sync(0x0000ffffu, v, 15);
    y[i] = v;
}

KERNEL(lanes_that_left) {
    if (t % 32 >= 20) return;
    y[i] = __shfl_sync(0xffffffffu, x[i], 3);
}

KERNEL(votes) {
    y[i] = __popc(__ballot_sync(0xffffffffu, x[i] > 0)) + 100 * __any_sync(0xffffffffu, x[i] > 2) +
           1000 * __all_sync(0xffffffffu, x[i] > -2);
}

KERNEL(counted) {
    int all = __syncthreads_and(x[i] < 9), some = __syncthreads_or(x[i] > 9);
    y[i] = __syncthreads_count(x[i] > 0) + 1000 * all + 2000 * some;
}

KERNEL(dynamic_shared) {
    extern __shared__ float d[];
    d[t] = x[i];
    __syncthreads();
    y[i] = d[(t + 1) % 128];
}

KERNEL(atomic_in_shared) {
    __shared__ int c;
    if (t == 0) c = 0;
    __syncthreads();
    if (x[i] > 0) atomicAdd(&c, 1);
    __syncthreads();
    y[i] = c;
}

KERNEL(vectors) {
    if (i < n / 4) {
        float4 v = ((const float4 *)x)[i];
        v.x += v.w;
        ((float4 *)y)[i] = v;
    }
}

KERNEL(vectors_in_aligned_shared) {
    __shared__ __align__(16) float s[128];
    s[t] = x[i];
    __syncthreads();
    if (t < 32) ((float4 *)(y + b * 128))[t] = ((float4 *)s)[31 - t];
}

KERNEL(vector_and_tail) {
    if (i < 63) ((float4 *)y)[i] = ((const float4 *)x)[i];
    if (i >= 252) y[i] = x[i];
}

KERNEL(local_array) {
    float a[8];
    for (int j = 0; j < 8; j++) a[(j + t) & 7] = x[j] * t;
    y[i] = a[t & 7];
}

KERNEL(constants) {
    y[i] = TABLE[t & 1] * x[i];
}

KERNEL(device_function) {
    y[i] = block_maximum(x[i]);
}

KERNEL(maximum_twice) {
    y[i] = block_maximum(x[i]) - (float)block_maximum((double)-x[i]);
}

KERNEL(same_number_by_atomics) {
    if (t == 0) atomicExch(&y[0], 3.0f);
}

KERNEL(several_readers_then_a_later_launch) {
    y[i] = x[0] + x[255];
}

// What no lane gives is undefined on the card, and a NaN here.
KERNEL(taken_from_nobody) {
    y[i] = t % 32 < 16 ? __shfl_down_sync(0x0000ffffu, x[i], 8) : 0;
}

KERNEL(constants_by_pointer) {
    const float *from = t & 1 ? TABLE : x;
    y[i] = from[t & 1];
}

// Lane 2 has met lane 1, which had met lane 0.
KERNEL(seen_through_another) {
    __shared__ float s[128];
    int lane = t % 32;
    if (lane == 0) s[t] = x[i];
    if (lane <= 1) __syncwarp(3);
    if (lane == 1 || lane == 2) __syncwarp(6);
    y[i] = lane == 2 ? s[t - 2] : 0;
}

KERNEL(two_floats_as_a_number) {
    if (i < n / 2) y[i] = (float)((const long long *)x)[i];
}
