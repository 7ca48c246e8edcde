// What the two halves of the runtime, scheduler.cpp and checker.cpp, know of each other.
#pragma once
#include <cstddef>
#include <cstdint>

#include "runtime.h"

namespace emu {
constexpr int LANES = 32, MOST_THREADS = 1024, MOST_WARPS = MOST_THREADS / LANES;
constexpr size_t MOST_SHARED = 48 << 10;
constexpr size_t STACK = 64 << 10;  // of one thread, its guard page included

extern int threads, current;         // threads of a block; the one that runs
extern uint3 block;                  // the block that runs
extern char *stacks;                 // of all threads of a block
extern uint32_t launch_epoch;        // epochs: stretches between two barriers, numbered through all launches
extern uint32_t block_epoch, epoch;  // the first of this block; the present one
extern uint32_t warp_time[MOST_WARPS];       // __syncwarps that each warp of the block has passed
extern uint32_t known[MOST_THREADS][LANES];  // up to when a thread has seen what its neighbours did

// Records what went wrong; a thread then leaves the kernel, for good.
void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void leave();

// Shared memory: arrays of the block that runs, each in an area of its own.
struct Area {
    char *begin, *end;
    const char *name;
};
extern Area areas[256];
extern int area_count;

void start_checked_launch();
}  // namespace emu
