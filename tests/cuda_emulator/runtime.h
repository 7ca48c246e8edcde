// What kernels compiled for the host and the runtime that executes them say to each other. C++17, x86-64, no
// headers: kernels must not find names here that NVRTC lacks.
#pragma once

struct uint3 {
    unsigned x, y, z;
};

// One entry of a module's table: `call` loads each parameter from the pointer at its place, as cuLaunchKernel
// does.
struct emu_kernel {
    const char *name;
    const char *
        signature;  // "84pF": the bytes of all parameters, then their kinds; P points to floats, F is a float
    void (*call)(void **arguments);
};

// A __shared__ array: the place it has in the block that runs now.
struct emu_array {
    unsigned long bytes, alignment;
    const char *name;
    unsigned long block;
    char *place;
};

enum emu_access { EMU_READ, EMU_WRITE, EMU_ATOMIC };
enum emu_exchange { EMU_INDEX, EMU_UP, EMU_DOWN, EMU_XOR };

extern "C" {
// Constant as long as one thread of the grid runs, and nothing of a kernel outlives that.
__attribute__((const)) uint3 emu_thread();
__attribute__((const)) uint3 emu_block();
__attribute__((const)) uint3 emu_block_size();
__attribute__((const)) uint3 emu_grid_size();
char *emu_shared(emu_array *array);
char *emu_dynamic(unsigned long alignment);
void emu_barrier(int line, int kind, int predicate);
int emu_barrier_result();
void emu_warp_barrier(unsigned mask, int line);
unsigned long emu_shuffle(unsigned mask, unsigned long bits, int how, int lane, int width, int line);
unsigned emu_vote(unsigned mask, int predicate, int line);
void emu_touch(const volatile void *place, unsigned long bytes, int access);
}
