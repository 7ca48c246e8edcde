"""The GPU engine: the CPU engine's plan as CUDA kernels, launched through cupy."""
