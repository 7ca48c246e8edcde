// Kernels with one fault each, and what the emulator says of it (a pattern). KERNEL(name) stands for
//
//     extern "C" __global__ void name(const float *x, float *y, int n) {
//         int t = threadIdx.x, b = blockIdx.x, i = b * blockDim.x + t;
//
// Some have a twin in right.cu that lacks the fault and nothing else.
// Each runs with 2 blocks of 128 threads, 256 = n floats in x and in y, 512 bytes of dynamic shared memory.

__constant__ float TABLE[2] = {2.0f, 3.0f};

// says: race|unset shared memory
KERNEL(missing_barrier) {
    __shared__ float s[128];
    s[t] = x[i];
    y[i] = s[127 - t];
}

// says: race: (read|write) of 4 bytes at byte .* of the 512 of shared array s
KERNEL(missing_second_barrier) {
    __shared__ float s[128];
    s[t] = x[i];
    __syncthreads();
    float v = 0;
    for (int j = 0; j < 128; j++) v += s[j];
    s[t] = v;
    y[i] = s[t];
}

// says: not reached by every thread
KERNEL(barrier_for_some) {
    if (t < 64) __syncthreads();
    y[i] = x[i];
}

// says: two __syncthreads
KERNEL(barrier_in_two_branches) {
    if (t < 64)
        __syncthreads();
    else
        __syncthreads();
    y[i] = x[i];
}

// says: not reached by every thread
KERNEL(exit_before_barrier) {
    if (t > 99) return;
    __syncthreads();
    y[i] = x[i];
}

// says: race: (read|write) of 4 bytes at byte 0 of an allocation of 1024
KERNEL(missing_atomic) {
    y[0] += x[i];
}

// says: race
KERNEL(missing_atomic_in_shared) {
    __shared__ float s[1];
    if (t == 0) s[0] = 0;
    __syncthreads();
    s[0] += x[i];
    __syncthreads();
    y[i] = s[0];
}

// says: race
KERNEL(atomic_beside_plain) {
    if (t == 0) y[b] = 0;
    atomicAdd(&y[b], x[i]);
}

// says: race
KERNEL(plain_read_after_atomics) {
    atomicAdd(&y[b], x[i]);
    if (y[b] == 7.0f) y[2 + b] = 1;
}

// says: race
KERNEL(plain_read_of_all_blocks) {
    if (t == 0) atomicAdd(&y[0], x[i]);
    __syncthreads();
    if (t == 0) y[2 + b] = y[0];
}

// says: race: write
KERNEL(same_place_in_two_blocks) {
    if (t == 0) y[0] = 1.0f;
}

// says: race
KERNEL(neighbour_in_place) {
    if (i < n - 1) y[i] = y[i + 1];
}

// says: outside every allocation: read of 4 bytes
KERNEL(read_past_the_end) {
    y[i] = x[i + 1];
}

// says: outside every allocation: read
KERNEL(read_before_the_start) {
    y[i] = x[i - 1];
}

// says: outside every allocation: write
KERNEL(write_past_the_end) {
    if (i < n) y[i + 1] = 0;
}

// says: outside every allocation
KERNEL(bound_off_by_one) {
    for (int k = i; k <= n; k += 256) y[k] = x[k];
}

// says: outside every allocation
KERNEL(shared_past_the_end) {
    __shared__ float s[128], u[128];
    s[t] = u[t] = 1;
    __syncthreads();
    y[i] = s[t + 1];
}

// says: outside every allocation
KERNEL(dynamic_past_the_end) {
    extern __shared__ float d[];
    d[t] = 1;
    __syncthreads();
    y[i] = d[t + 1];
}

// says: outside every allocation
KERNEL(negative_shared) {
    __shared__ float s[128];
    s[t - 1] = 1;
    y[i] = x[i];
}

// says: outside every allocation
KERNEL(null) {
    ((float *)0)[t] = 1;
}

// says: misaligned
KERNEL(misaligned_vector) {
    if (t < 8) {
        float4 v = *(const float4 *)(x + 4 * t + 1);
        y[i] = v.x;
    }
}

// says: misaligned
KERNEL(misaligned_store) {
    if (i < 8) *(float2 *)(y + 2 * i + 1) = make_float2(1, 2);
}

// says: misaligned: read
KERNEL(misaligned_double) {
    if (i < 8) y[i] = (float)*(const double *)(x + 2 * i + 1);
}

// The card gives an array of floats no more than the alignment of a float.
// says: misaligned
KERNEL(vector_in_shared_floats) {
    __shared__ float s[128];
    s[t] = x[i];
    __syncthreads();
    if (t < 32) {
        float4 v = ((float4 *)s)[t];
        y[i] = v.x;
    }
}

// says: outside every allocation
KERNEL(vector_past_the_end) {
    if (i < 63) {
        float4 v = *(const float4 *)(x + 4 * i + 8);
        y[i] = v.w;
    }
}

// says: unset shared memory
KERNEL(unset_shared) {
    __shared__ float s[128];
    if (t) s[t] = x[i];
    __syncthreads();
    y[i] = s[t];
}

// says: unset shared memory
KERNEL(shared_of_the_block_before) {
    __shared__ float s[1];
    if (b == 0 && t == 0) s[0] = 1;
    __syncthreads();
    y[i] = s[0];
}

// says: race|unset
KERNEL(warp_without_syncwarp) {
    __shared__ float s[128];
    s[t] = x[i];
    y[i] = s[t ^ 1];
}

// says: race|unset
KERNEL(shuffle_orders_no_memory) {
    __shared__ float s[128];
    s[t] = x[i];
    float v = __shfl_xor_sync(0xffffffffu, x[i], 1);
    y[i] = v + s[t ^ 1];
}

// says: race|unset
KERNEL(syncwarp_across_warps) {
    __shared__ float s[128];
    s[t] = x[i];
    __syncwarp();
    y[i] = s[t ^ 32];
}

// says: race
KERNEL(syncwarp_of_half) {
    __shared__ float s[128];
    s[t] = x[i];
    __syncwarp(t & 16 ? 0xffff0000u : 0xffffu);
    y[i] = s[t ^ 16];
}

// says: whose mask leaves it out
KERNEL(wrong_mask) {
    y[i] = __shfl_sync(0x0000ffffu, x[i], 0);
}

// says: masks|leaves it out
KERNEL(masks_differ) {
    y[i] = __shfl_xor_sync(t & 1 ? 0xffffffffu : 0x7fffffffu, x[i], 1);
}

// says: deadlock
KERNEL(shuffle_for_some) {
    float v = x[i];
    if (t % 32 < 16) v = __shfl_xor_sync(0xffffffffu, v, 1);
    __syncthreads();
    y[i] = v;
}

// says: at different places
KERNEL(shuffles_at_two_places) {
    float v = x[i];
    if (t & 1)
        v = __shfl_xor_sync(0xffffffffu, v, 2);
    else
        v = __shfl_xor_sync(0xffffffffu, v, 2);
    y[i] = v;
}

// says: no power of two
KERNEL(odd_width) {
    y[i] = __shfl_sync(0xffffffffu, x[i], 0, 12);
}

// says: outside every allocation: write
KERNEL(write_to_a_constant) {
    float *c = (float *)TABLE;
    c[t & 1] = 1;
    y[i] = x[i];
}

// says: not reached by every thread|two __syncthreads
KERNEL(barrier_in_uneven_loop) {
    for (int k = 0; k < 1 + t % 2; k++) __syncthreads();
    y[i] = x[i];
}

// says: two alignments
KERNEL(dynamic_in_two_kinds) {
    extern __shared__ float d[];
    extern __shared__ double e[];
    d[t] = x[i];
    __syncthreads();
    y[i] = (float)e[t / 2];
}

// says: more than 48 KiB
KERNEL(too_much_shared) {
    __shared__ double s[6144];
    s[t] = x[i];
    y[i] = (float)s[t];
}

// says: race
KERNEL(bytes_of_a_vector) {
    if (t < 32) *(float4 *)(y + b * 128 + 4 * t) = make_float4(1, 2, 3, 4);
    y[i] = x[i];
}

// Below, one order of threads or blocks reads first and another writes first: both directions are races.

// says: race
KERNEL(read_in_one_warp_written_in_another) {
    __shared__ float s[128];
    s[t] = x[i];
    __syncthreads();
    if (t == 5) y[i] = s[100];
    if (t == 100) s[100] = 1;
}

// says: race
KERNEL(read_in_two_warps_written_after_one) {
    __shared__ float s[128];
    s[t] = x[i];
    __syncthreads();
    if (t == 0 || t == 96) y[i] = s[5];
    __syncwarp();
    if (t == 97) s[5] = 1;
}

// says: race
KERNEL(read_by_lanes_written_by_another) {
    __shared__ float s[128];
    s[t] = x[i];
    __syncthreads();
    if (t < 2) y[i] = s[5];
    if (t == 2) s[5] = 1;
}

// says: race
KERNEL(read_by_lanes_of_which_one_is_seen) {
    __shared__ float s[128];
    s[t] = x[i];
    __syncthreads();
    if (t < 2) y[i] = s[5];
    if (t == 1 || t == 2) __syncwarp(6);
    if (t == 2) s[5] = 1;
}

// says: race
KERNEL(read_in_one_block_written_in_another) {
    if (b == 0 && t == 0) y[5] = y[0];
    if (b == 1 && t == 0) y[0] = 1;
}

// says: race
KERNEL(read_in_both_blocks_written_in_one) {
    if (t == 0) y[5 + b] = y[0];
    __syncthreads();
    if (b == 1 && t == 0) y[0] = 1;
}

// says: race
KERNEL(atomics_of_two_blocks_read_in_one) {
    if (t == 0) atomicAdd(&y[0], x[i]);
    __syncthreads();
    if (b == 1 && t == 0) y[7] = y[0];
}

// says: race
KERNEL(atomics_of_two_threads_read_by_one) {
    if (t < 2) atomicAdd(&y[b], x[i]);
    if (t == 1) y[2 + b] = y[b];
}

// says: race
KERNEL(vector_written_component_read) {
    if (b == 0 && t == 0) *(float4 *)y = make_float4(1, 2, 3, 4);
    if (b == 0 && t == 1) y[64] = y[1];
}

// says: misaligned
KERNEL(misaligned_copy) {
    if (t < 8) ((float4 *)y)[i] = *(const float4 *)(x + 4 * t + 1);
}
