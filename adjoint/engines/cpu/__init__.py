"""Programs as native kernels on a CPU."""
