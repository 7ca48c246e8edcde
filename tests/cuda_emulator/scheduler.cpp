// Runs a grid: block after block, each thread of a block on a stack of its own, in a chosen order.
//
// A thread runs until it ends or waits. Who ends without ever waiting leaves its stack to the next thread, so
// that kernels without barriers cost one function call per thread.
#include "scheduler.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <utility>
#include <vector>
#include <xmmintrin.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace emu {
int threads, current;
uint3 block, block_size, grid_size;
char *stacks;
uint32_t launch_epoch = 1, block_epoch = 1, epoch = 1;
uint32_t warp_time[MOST_WARPS], known[MOST_THREADS][LANES];
Area areas[256];
int area_count;

enum State { NEW, READY, AT_BARRIER, AT_WARP, DONE };
enum Warp { SYNC, SHUFFLE, VOTE };

struct Thread {
    uint3 index;
    State state;
    int fiber;
    int line;  // where it waits
    int kind;  // what a barrier counts, or what a warp does together
    int predicate;
    unsigned mask;
    int how, lane, width;  // of a shuffle
    unsigned long bits;    // in: its own value; out: what it was given
};
static Thread pool[MOST_THREADS];
static void *fibers[MOST_THREADS], *scheduler;  // saved stack pointers
static int idle[MOST_THREADS], idle_count, started;
static std::vector<int> order;  // of threads
static int turn;                // place in it
static int counted;             // what the last barrier counted
static void (*body)(void **);
static void **body_arguments;
static bool failed;
static char message[512];
static uint64_t random_state;
static unsigned long block_serial;
static char *static_shared, *dynamic_shared;
static size_t static_bytes, static_place, dynamic_bytes, dynamic_alignment;
constexpr size_t GUARD = 64;  // between two shared arrays
constexpr size_t SHARED_AREA = 4 * MOST_SHARED;

static uint64_t random_number() {  // xorshift: the same orders on every machine
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

// ---------------------------------------------------------------- stacks
extern "C" __attribute__((visibility("hidden"))) void emu_switch(void **save, void *load);
asm(R"(
.text
.hidden emu_switch
.globl emu_switch
emu_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

void leave() { emu_switch(&fibers[pool[current].fiber], scheduler); }

void fail(const char *format, ...) {
    if (!failed) {
        va_list rest;
        va_start(rest, format);
        int used = vsnprintf(message, sizeof message, format, rest);
        va_end(rest);
        uint3 t = pool[current].index;
        if (used >= 0 && used < (int)sizeof message)
            snprintf(message + used, sizeof message - used, "; thread (%u, %u, %u) of block (%u, %u, %u)",
                     t.x, t.y, t.z, block.x, block.y, block.z);
        failed = true;
    }
}

static void fail_here(const char *what, int line) {
    fail("%s (line %d)", what, line);
    leave();
}

// Runs threads one after the other for as long as the next one in order has not begun.
static void work() {
    for (;;) {
        int fiber = pool[current].fiber;
        body(body_arguments);
        pool[current].state = DONE;
        if (turn + 1 < threads && pool[order[turn + 1]].state == NEW) {
            current = order[++turn];
            pool[current].fiber = fiber;
            continue;
        }
        idle[idle_count++] = fiber;
        leave();
    }
}

static void prepare_stack(int fiber) {
    void **top = (void **)(stacks + (fiber + 1) * STACK) - 1;
    *--top = (void *)work;  // its frame begins as after a call: 8 bytes off a multiple of 16
    for (int k = 0; k < 6; k++) *--top = nullptr;
    fibers[fiber] = top;
}

static void run_thread(int i) {
    current = i;
    if (pool[i].state == NEW) {
        if (idle_count) {
            pool[i].fiber = idle[--idle_count];
        } else {
            pool[i].fiber = started++;
            prepare_stack(pool[i].fiber);
        }
    }
    emu_switch(&scheduler, fibers[pool[i].fiber]);
}

// ---------------------------------------------------------------- waiting
static bool in_mask(const Thread &t, int lane) { return t.mask >> lane & 1; }

// What each lane of a complete group receives.
static void exchange(int warp, unsigned mask) {
    unsigned long given[LANES], votes = 0;
    for (int lane = 0; lane < LANES && warp + lane < threads; lane++) {
        if (!(mask >> lane & 1) || pool[warp + lane].state != AT_WARP) continue;
        Thread &t = pool[warp + lane];
        if (t.predicate) votes |= 1ul << lane;
        int first = lane & ~(t.width - 1), last = first + t.width - 1, source = lane;
        if (t.how == EMU_INDEX) source = first + (t.lane & (t.width - 1));
        if (t.how == EMU_UP) source = lane - t.lane < first ? lane : lane - t.lane;
        if (t.how == EMU_DOWN) source = lane + t.lane > last ? lane : lane + t.lane;
        if (t.how == EMU_XOR) source = (lane ^ t.lane) > last ? lane : lane ^ t.lane;
        bool there = warp + source < threads && mask >> source & 1 && pool[warp + source].state == AT_WARP;
        given[lane] = there ? pool[warp + source].bits : 0xFFF4A5A5FFF4A5A5ul;  // undefined on the card
    }
    for (int lane = 0; lane < LANES && warp + lane < threads; lane++) {
        Thread &t = pool[warp + lane];
        if (!(mask >> lane & 1) || t.state != AT_WARP) continue;
        t.bits = t.kind == VOTE ? votes : given[lane];
    }
}

// Lanes that met in __syncwarp have seen what the others had done and seen. Shuffles and votes order nothing.
static void see_each_other(int warp, unsigned mask) {
    uint32_t now = ++warp_time[warp / LANES], together[LANES];
    memset(together, 0, sizeof together);
    for (int lane = 0; lane < LANES && warp + lane < threads; lane++)
        if (mask >> lane & 1)
            for (int k = 0; k < LANES; k++)
                if (known[warp + lane][k] > together[k]) together[k] = known[warp + lane][k];
    for (int k = 0; k < LANES; k++)
        if (mask >> k & 1) together[k] = now;
    for (int lane = 0; lane < LANES && warp + lane < threads; lane++)
        if (mask >> lane & 1) memcpy(known[warp + lane], together, sizeof together);
}

// Lets the lanes of one warp go on whose group is complete; who has left the kernel is not waited for.
static bool release_warp(int warp) {
    bool released = false;
    for (int lane = 0; lane < LANES && warp + lane < threads; lane++) {
        Thread &t = pool[warp + lane];
        if (t.state != AT_WARP) continue;
        bool complete = true;
        for (int k = 0; k < LANES && warp + k < threads; k++) {
            Thread &other = pool[warp + k];
            if (!in_mask(t, k) || other.state == DONE) continue;
            if (other.state != AT_WARP) {
                complete = false;
            } else if (other.line != t.line || other.mask != t.mask || other.kind != t.kind) {
                current = warp + k;
                fail(
                    "lanes of one warp wait for each other at different places (lines %d and %d, masks %08x "
                    "and %08x)",
                    t.line, other.line, t.mask, other.mask);
                return true;
            }
        }
        if (!complete) continue;
        unsigned mask = t.mask;
        exchange(warp, mask);
        if (t.kind == SYNC) see_each_other(warp, mask);
        for (int k = 0; k < LANES && warp + k < threads; k++)
            if (mask >> k & 1 && pool[warp + k].state == AT_WARP) pool[warp + k].state = READY;
        released = true;
    }
    return released;
}

// Lets the threads of the block go on that wait at its barrier; all must be there, at the same one.
static void release_barrier() {
    int first = -1;
    counted = 0;
    for (int i = 0; i < threads; i++)
        if (pool[i].state == AT_BARRIER) {
            if (first < 0) first = i;
            counted += pool[i].predicate != 0;
        }
    for (int i = 0; i < threads; i++) {
        current = i;
        if (pool[i].state == AT_WARP)
            return fail(
                "deadlock: some threads wait for their warp (line %d), others at __syncthreads (line %d)",
                pool[i].line, pool[first].line);
        if (pool[i].state == DONE)
            return fail("__syncthreads (line %d) is not reached by every thread of the block",
                        pool[first].line);
        if (pool[i].line != pool[first].line)
            return fail("one block waits at two __syncthreads (lines %d and %d)", pool[first].line,
                        pool[i].line);
    }
    for (int i = 0; i < threads; i++) pool[i].state = READY;
    epoch++;
}

static void run_block() {
    block_epoch = ++epoch;
    block_serial++;
    area_count = 0;
    static_bytes = static_place = dynamic_alignment = 0;
    memset(warp_time, 0, sizeof warp_time);
    memset(known, 0, sizeof known[0] * threads);
    idle_count = started = 0;
    for (int i = 0; i < threads; i++) pool[i].state = NEW;
    while (!failed) {
        bool ran = false;
        for (turn = 0; turn < threads && !failed; turn++) {
            int i = order[turn];
            if (pool[i].state > READY) continue;
            run_thread(i);
            ran = true;
        }
        if (failed || ran) {
            bool warps = false, barrier = false, released = false;
            for (int i = 0; i < threads; i++) {
                warps |= pool[i].state == AT_WARP;
                barrier |= pool[i].state == AT_BARRIER;
            }
            for (int warp = 0; warps && warp < threads && !failed; warp += LANES)
                released |= release_warp(warp);
            if (released || failed) continue;
            if (barrier) {
                release_barrier();
            } else if (warps) {
                for (int i = 0; i < threads; i++)
                    if (pool[i].state == AT_WARP) current = i;
                fail("deadlock: lanes wait (line %d) for others of their warp that never come",
                     pool[current].line);
            }
            continue;
        }
        return;  // every thread is done
    }
}

// ---------------------------------------------------------------- launching
static bool allowed(const unsigned *g, const unsigned *b, size_t shared) {
    bool fits = b[0] && b[1] && b[2] && b[0] <= 1024 && b[1] <= 1024 && b[2] <= 64 &&
                (uint64_t)b[0] * b[1] * b[2] <= MOST_THREADS && g[0] && g[1] && g[2] && g[0] <= 2147483647u &&
                g[1] <= 65535 && g[2] <= 65535 && shared <= MOST_SHARED;
    if (!fits)
        snprintf(message, sizeof message,
                 "CUDA_ERROR_INVALID_VALUE: invalid argument: grid (%u, %u, %u), block (%u, %u, %u), %zu "
                 "bytes shared",
                 g[0], g[1], g[2], b[0], b[1], b[2], shared);
    return fits;
}

static void make_memory() {
    if (stacks) return;
    auto reserve = [](size_t bytes) {
        return (char *)mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    };
    stacks = reserve(STACK * MOST_THREADS);
    for (int i = 0; i < MOST_THREADS; i++) mprotect(stacks + i * STACK, 4096, PROT_NONE);
    static_shared = reserve(SHARED_AREA);
    dynamic_shared = reserve(SHARED_AREA);
}

static void shuffle(std::vector<int> &numbers) {
    for (size_t i = numbers.size(); i > 1; i--) std::swap(numbers[i - 1], numbers[random_number() % i]);
}

static std::vector<int> numbers_in_order(size_t n, unsigned long how) {
    std::vector<int> result(n);
    for (size_t i = 0; i < n; i++) result[i] = how == 1 ? n - 1 - i : i;
    if (how >= 2) shuffle(result);
    return result;
}
}  // namespace emu

using namespace emu;

EXPORT const char *emu_error() { return message; }

// how: 0 ascending, 1 descending, from 2 on shuffled with that seed; threads and blocks alike.
EXPORT int emu_launch(const emu_kernel *kernel, const unsigned *g, const unsigned *b, size_t shared,
                      unsigned long how, void **arguments) {
    if (!allowed(g, b, shared)) return 1;
    make_memory();
    failed = false;
    grid_size = {g[0], g[1], g[2]};
    block_size = {b[0], b[1], b[2]};
    threads = b[0] * b[1] * b[2];
    body = kernel->call;
    body_arguments = arguments;
    dynamic_bytes = shared;
    random_state = 0x9E3779B97F4A7C15ull * (how + 1);
    launch_epoch = epoch + 1;
    start_checked_launch();
    for (int i = 0; i < threads; i++) pool[i].index = {i % b[0], i / b[0] % b[1], i / (b[0] * b[1])};
    // What cupy always asks for: subnormal floats are zero. The processor cannot leave doubles alone then, so
    // that kernels without any float parameter go without.
    unsigned settings = _mm_getcsr();
    if (strpbrk(kernel->signature, "PF")) _mm_setcsr(settings | 0x8040);
    size_t blocks = (size_t)g[0] * g[1] * g[2];
    for (int number : numbers_in_order(blocks, how)) {
        order = numbers_in_order(threads, how);
        block = {number % g[0], number / g[0] % g[1], number / g[0] / g[1]};
        run_block();
        if (failed) break;
    }
    _mm_setcsr(settings);
    return failed ? 2 : 0;
}

// ---------------------------------------------------------------- called by kernels
EXPORT uint3 emu_thread() { return pool[current].index; }
EXPORT uint3 emu_block() { return block; }
EXPORT uint3 emu_block_size() { return block_size; }
EXPORT uint3 emu_grid_size() { return grid_size; }

static void poison(char *place, size_t bytes) {  // a NaN in both widths, signalling as a double
    const uint32_t value = 0xFFF4A5A5u;
    for (size_t k = 0; k < bytes; k++) place[k] = ((const char *)&value)[((size_t)place + k) & 3];
}

static void claim(char *place, size_t bytes, const char *name) {
    if (area_count == 256) fail_here("more than 256 shared arrays", 0);
    areas[area_count++] = {place, place + bytes, name};
    poison(place, bytes + GUARD);
}

// Places are aligned as declared and no better, so that a vector access to an array of floats shows.
EXPORT char *emu_shared(emu_array *array) {
    if (array->block == block_serial) return array->place;
    size_t step = array->alignment < 16 ? 16 : array->alignment;
    size_t at =
        (static_place + GUARD + step - 1) / step * step + (array->alignment < 16 ? array->alignment : 0);
    static_bytes = (static_bytes + array->alignment - 1) / array->alignment * array->alignment + array->bytes;
    if (static_bytes + dynamic_bytes > MOST_SHARED)
        fail_here("more than 48 KiB of shared memory in one block", 0);
    static_place = at + array->bytes;
    array->block = block_serial;
    array->place = static_shared + at;
    claim(array->place, array->bytes, array->name);
    return array->place;
}

EXPORT char *emu_dynamic(unsigned long alignment) {
    char *place = dynamic_shared + 2 * GUARD + (alignment < 16 ? alignment : 0);
    if (!dynamic_alignment) {
        dynamic_alignment = alignment;
        claim(place, dynamic_bytes, "dynamic");
    } else if (dynamic_alignment != alignment) {
        fail_here("dynamic shared memory is declared with two alignments", 0);
    }
    return place;
}

EXPORT void emu_barrier(int line, int kind, int predicate) {
    Thread &t = pool[current];
    t.state = AT_BARRIER;
    t.line = line;
    t.kind = kind;
    t.predicate = predicate;
    leave();
}

EXPORT int emu_barrier_result() { return counted; }

static unsigned long wait_for_warp(Warp kind, unsigned mask, int line) {
    Thread &t = pool[current];
    if (!(mask >> (current % LANES) & 1))
        fail_here("a lane takes part in a *_sync whose mask leaves it out", line);
    t.state = AT_WARP;
    t.kind = kind;
    t.mask = mask;
    t.line = line;
    leave();
    return pool[current].bits;
}

EXPORT void emu_warp_barrier(unsigned mask, int line) {
    pool[current].width = LANES;
    wait_for_warp(SYNC, mask, line);
}

EXPORT unsigned long emu_shuffle(unsigned mask, unsigned long bits, int how, int lane, int width, int line) {
    Thread &t = pool[current];
    if (width < 1 || width > LANES || width & (width - 1))
        fail_here("the width of a shuffle is no power of two", line);
    t.bits = bits;
    t.how = how;
    t.lane = lane;
    t.width = width;
    return wait_for_warp(SHUFFLE, mask, line);
}

EXPORT unsigned emu_vote(unsigned mask, int predicate, int line) {
    pool[current].width = LANES;
    pool[current].predicate = predicate;
    return wait_for_warp(VOTE, mask, line);
}
