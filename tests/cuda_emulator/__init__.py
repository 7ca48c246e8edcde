"""CUDA without a card: kernels run on the host by an emulator, compiled by NVRTC; a stand-in for cupy.

harness.py                what one begins with: modules and kernels, their arguments, orders of threads
compiler.py               sources, many in one translation unit, to libraries that are kept
kernel.h, mathematics.h   what NVRTC knows without any include, for g++
scheduler.cpp             runs a grid: threads as fibers, barriers, shuffles, votes, shared memory, limits
checker.cpp               sees every load and store: bounds, alignment, races, unset shared memory
functions.cpp             functions that CUDA has and glibc lacks
nvrtc.py                  NVIDIA's compiler by its wheel: registers, stack, spills, shared memory
cupy_standin/             the module cupy over this emulator, with a memory of its own

What it does not see: accesses outside a thread's local array, and accesses within an allocation that are
meant for another array there. Stricter than the card: what one block hands to another within a launch is a
race, fences or not; threads meet at one place in the text; two threads may not write one element, not even
the same value. In kernels with float parameters subnormal doubles are flushed, too.
"""
