// Sees every load and store of a kernel: g++ -fsanitize=thread puts a call before each; the functions called
// are ours.
//
// Bounds: an access lies in one device allocation or in one shared array. Alignment: by the type of what is
// accessed, which -fsanitize=alignment tells (a vector may be loaded by its components). Races: two threads
// touch one element, at least one writes, not both by atomics, and nothing orders the two: neither a
// __syncthreads nor, within a warp, a __syncwarp. Blocks are never ordered. Unset: shared memory read before
// anything of this block wrote to it.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <sys/mman.h>
#include <vector>

#include "scheduler.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace emu {
// Who did something last, and when: the epoch says in which block and between which barriers, the time says
// between which __syncwarps.
struct Mark {
    uint32_t epoch, time;
    int thread;
};

// What happened last to one element.
struct Cell {
    Mark write, atomic, read;
    uint32_t read_lanes;                 // of the reader's warp, in this epoch
    bool read_by_warps, read_by_blocks;  // others too: of the same block in this epoch; in this launch
    bool atomic_by_threads, atomic_by_blocks;
};

// Cells of a stretch of memory, one for every `unit` bytes: the narrowest access seen so far.
struct Region {
    uintptr_t begin, end;
    unsigned unit;
    Cell *cells;
    const char *name;  // of a shared array; else null
};

static std::vector<Region> regions, shared_regions;
static bool checking;
static uintptr_t images[4096][2];  // constants of loaded kernels
static int image_count;
static unsigned long accesses;
static clock_t launched;
constexpr int PATIENCE = 120;  // seconds of processor time: who takes more waits for what never comes
static Region *recent[64];
static const void *culprit;  // the instruction after the access that was refused

static void forget(Region &region) {
    if (region.cells) munmap(region.cells, sizeof(Cell) * ((region.end - region.begin) / region.unit + 1));
    region.cells = nullptr;
}

static void refine(Region &region, unsigned unit) {
    unsigned before = region.unit;
    Cell *old = region.cells;
    size_t bytes = region.end - region.begin, count = bytes / unit + 1, old_count = bytes / before + 1;
    region.cells = (Cell *)mmap(nullptr, sizeof(Cell) * count, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (old) {
        for (size_t k = 0; k < count; k++) region.cells[k] = old[k * unit / before];
        munmap(old, sizeof(Cell) * old_count);
    }
    region.unit = unit;
}

void start_checked_launch() {
    accesses = 0;
    culprit = nullptr;
    launched = clock();
    memset(recent, 0, sizeof recent);
}

static Region *find(uintptr_t place) {
    Region *&guess = recent[place >> 12 & 63];
    if (guess && place >= guess->begin && place < guess->end) return guess;
    auto above = std::upper_bound(regions.begin(), regions.end(), place,
                                  [](uintptr_t p, const Region &region) { return p < region.begin; });
    if (above == regions.begin() || place >= above[-1].end) return nullptr;
    return guess = &above[-1];
}

static Region *find_shared(uintptr_t place) {
    for (int k = 0; k < area_count; k++) {
        if (place < (uintptr_t)areas[k].begin || place >= (uintptr_t)areas[k].end) continue;
        if ((int)shared_regions.size() <= k) shared_regions.resize(k + 1);
        Region &region = shared_regions[k];
        if (region.begin != (uintptr_t)areas[k].begin || region.end != (uintptr_t)areas[k].end) {
            forget(region);
            region = {(uintptr_t)areas[k].begin, (uintptr_t)areas[k].end, 16, nullptr, areas[k].name};
        }
        region.name = areas[k].name;
        return &region;
    }
    return nullptr;
}

// Whether the present thread comes after what was done there. Of shared memory only this block's marks are
// asked for.
static bool after(const Mark &mark) {
    if (mark.epoch < launch_epoch) return true;
    if (mark.epoch < block_epoch) return false;
    if (mark.epoch < epoch || mark.thread == current) return true;
    return mark.thread / LANES == current / LANES && known[current][mark.thread % LANES] > mark.time;
}

static bool after_atomics(const Cell &cell) {
    if (cell.atomic_by_blocks || (cell.atomic_by_threads && cell.atomic.epoch == epoch)) return false;
    return after(cell.atomic);
}

static bool after_reads(const Cell &cell) {
    if (cell.read_by_blocks || cell.read.epoch < block_epoch) return false;
    if (cell.read.epoch < epoch) return true;
    if (cell.read_by_warps || cell.read.thread / LANES != current / LANES) return false;
    for (int lane = 0; lane < LANES; lane++) {
        bool read = cell.read_lanes >> lane & 1 && lane != current % LANES;
        if (read && known[current][lane] <= cell.read.time) return false;
    }
    return true;
}

static Mark mark_now() { return {epoch, warp_time[current / LANES], current}; }

static void note_read(Cell &cell, uint32_t begin) {
    bool same_warp = cell.read.thread / LANES == current / LANES, same_epoch = cell.read.epoch == epoch;
    uint32_t lane = 1u << current % LANES;
    cell.read_by_blocks = cell.read.epoch >= begin && (cell.read_by_blocks || cell.read.epoch < block_epoch);
    cell.read_by_warps = same_epoch && (cell.read_by_warps || !same_warp);
    cell.read_lanes = same_epoch && same_warp ? cell.read_lanes | lane : lane;
    cell.read = mark_now();
}

static void note_atomic(Cell &cell, uint32_t begin) {
    const Mark &last = cell.atomic;
    cell.atomic_by_blocks = last.epoch >= begin && (cell.atomic_by_blocks || last.epoch < block_epoch);
    cell.atomic_by_threads = last.epoch == epoch && (cell.atomic_by_threads || last.thread != current);
    cell.atomic = mark_now();
}

static const char *const DONE_NAMES[] = {"read", "write", "atomic"};

// The allocation that ends nearest before a place, or null.
static const Region *before(uintptr_t place) {
    auto above = std::upper_bound(regions.begin(), regions.end(), place,
                                  [](uintptr_t p, const Region &region) { return p < region.begin; });
    return above == regions.begin() || place - above[-1].end > 1 << 20 ? nullptr : &above[-1];
}

static void stop(const char *what, const Region *region, uintptr_t place, unsigned long bytes, int access,
                 int other) {
    char by[48] = "";
    if (other >= 0) snprintf(by, sizeof by, ", against thread number %d", other);
    if (region && region->name)
        fail("%s: %s of %lu bytes at byte %lu of the %lu of shared array %s%s", what, DONE_NAMES[access],
             bytes, place - region->begin, region->end - region->begin, region->name, by);
    else if (region)
        fail("%s: %s of %lu bytes at byte %lu of an allocation of %lu%s", what, DONE_NAMES[access], bytes,
             place - region->begin, region->end - region->begin, by);
    else if (const Region *last = before(place))
        fail("%s: %s of %lu bytes at byte %lu after an allocation of %lu", what, DONE_NAMES[access], bytes,
             place - last->end, last->end - last->begin);
    else
        fail("%s: %s of %lu bytes at address %#lx", what, DONE_NAMES[access], bytes, place);
    leave();
}

static void touch_cell(Cell &cell, const Region *region, uintptr_t place, unsigned long bytes, int access) {
    uint32_t begin = region->name ? block_epoch : launch_epoch;  // what is older is forgotten
    bool written = cell.write.epoch >= begin, added = cell.atomic.epoch >= begin;
    if (region->name && !written && access != EMU_WRITE)
        stop("unset shared memory", region, place, bytes, access, -1);
    if (written && !after(cell.write)) stop("race", region, place, bytes, access, cell.write.thread);
    if (added && access != EMU_ATOMIC && !after_atomics(cell))
        stop("race", region, place, bytes, access, cell.atomic.thread);
    if (access == EMU_READ) return note_read(cell, begin);
    if (cell.read.epoch >= begin && !after_reads(cell))
        stop("race", region, place, bytes, access, cell.read.thread);
    if (access == EMU_ATOMIC) return note_atomic(cell, begin);
    cell.write = mark_now();
}

static bool in_images(uintptr_t place) {
    for (int k = 0; k < image_count; k++)
        if (place >= images[k][0] && place < images[k][1]) return true;
    return false;
}

static void check(uintptr_t place, unsigned long bytes, int access, const void *caller) {
    if (!checking || place - (uintptr_t)stacks < STACK * MOST_THREADS) return;
    if (!(++accesses & 0xFFFFF) && clock() > launched + PATIENCE * CLOCKS_PER_SEC)
        stop("still running", nullptr, place, bytes, access, -1);
    culprit = caller;
    Region *region = find(place);
    if (!region) region = find_shared(place);
    if (!region) {
        if (access == EMU_READ && in_images(place)) return;
        stop("outside every allocation", nullptr, place, bytes, access, -1);
    }
    if (place + bytes > region->end) stop("outside every allocation", region, place, bytes, access, -1);
    unsigned unit = region->unit;
    unsigned long offset = place - region->begin;
    while ((offset | bytes) & (unit - 1)) unit /= 2;
    if (unit != region->unit || !region->cells) refine(*region, unit);
    for (unsigned long k = offset / unit; k * unit < offset + bytes; k++)
        touch_cell(region->cells[k], region, place, bytes, access);
}
}  // namespace emu

using namespace emu;

// The device allocations that are alive, in any order; a count of -1 turns the checks off. Regions known from
// the launch before keep their cells.
EXPORT void emu_regions(int count, const uintptr_t *begin, const uintptr_t *end) {
    checking = count >= 0;
    std::vector<Region> now;
    for (int k = 0; k < count; k++)
        if (end[k] > begin[k]) now.push_back({begin[k], end[k], 16, nullptr, nullptr});
    auto lower = [](const Region &a, const Region &b) { return a.begin < b.begin; };
    std::sort(now.begin(), now.end(), lower);
    for (Region &old : regions) {
        auto same = std::lower_bound(now.begin(), now.end(), old, lower);
        if (same != now.end() && same->begin == old.begin && same->end == old.end)
            *same = old;
        else
            forget(old);
    }
    regions.swap(now);
    memset(recent, 0, sizeof recent);
}

EXPORT void emu_image(const void *begin, const void *end) {
    if (image_count < 4096) {
        images[image_count][0] = (uintptr_t)begin;
        images[image_count++][1] = (uintptr_t)end;
    }
}

EXPORT const void *emu_culprit() { return culprit; }

#define HERE __builtin_return_address(0)
EXPORT void emu_touch(const volatile void *place, unsigned long bytes, int access) {
    check((uintptr_t)place, bytes, access, HERE);
}

#define HOOKS(n) \
    EXPORT void __tsan_read##n(void *place) { check((uintptr_t)place, n, EMU_READ, HERE); } \
    EXPORT void __tsan_write##n(void *place) { check((uintptr_t)place, n, EMU_WRITE, HERE); } \
    EXPORT void __tsan_unaligned_read##n(void *place) { check((uintptr_t)place, n, EMU_READ, HERE); } \
    EXPORT void __tsan_unaligned_write##n(void *place) { check((uintptr_t)place, n, EMU_WRITE, HERE); }
HOOKS(1) HOOKS(2) HOOKS(4) HOOKS(8) HOOKS(16)
EXPORT void __tsan_read_range(void *place, unsigned long bytes) {
    check((uintptr_t)place, bytes, EMU_READ, HERE);
}
EXPORT void __tsan_write_range(void *place, unsigned long bytes) {
    check((uintptr_t)place, bytes, EMU_WRITE, HERE);
}

// What g++ says of an access whose address does not fit its type.
struct Mismatch {
    const char *file;
    uint32_t line, column;
    const void *type;
    unsigned char log_alignment, kind;
};
EXPORT void __ubsan_handle_type_mismatch_v1(const Mismatch *mismatch, const void *place) {
    culprit = HERE;
    const char *kind = mismatch->kind == 0 ? "read" : mismatch->kind == 1 ? "write" : "use";
    fail("misaligned: %s of what lies at multiples of %d, at %p", kind, 1 << mismatch->log_alignment, place);
    leave();
}
EXPORT void __tsan_init() {}
EXPORT void __tsan_func_entry(void *) {}
EXPORT void __tsan_func_exit() {}
EXPORT void __tsan_vptr_update(void *, void *) {}
