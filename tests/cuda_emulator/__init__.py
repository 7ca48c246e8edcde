"""CUDA without a card: kernels compiled by g++ and run on the host, compiled by NVRTC, and a stand-in for cupy.

| file | what it does |
|---|---|
| `harness.py` | modules and kernels: arguments, launches, orders; begins here |
| `compiler.py` | sources, many in one translation unit, to libraries in a cache |
| `kernel.h`, `mathematics.h` | what NVRTC knows without any include, for g++ |
| `scheduler.cpp` | runs a grid: threads as fibers, barriers, shuffles, votes, shared memory, launch limits |
| `checker.cpp` | sees every load and store: bounds, alignment, races, unset shared memory |
| `functions.cpp` | functions that CUDA has and glibc lacks |
| `nvrtc.py` | NVIDIA's compiler by its wheel: registers, stack, spills, shared memory |
| `cupy_standin/` | the module cupy over this emulator, with a memory of its own |

What it does not see: accesses outside a thread's local array; accesses within one allocation that belong to
another array there; work that one block hands to another in the same launch (it takes every such hand-over for a
race, fences or not). Stricter than the card: lanes and threads must meet at one place in the text; two threads may
not write the same value. Subnormal doubles are flushed too in kernels that have float parameters.
"""
