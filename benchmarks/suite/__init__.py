"""The benchmarks: each module here is one, and registers itself by its name BENCHMARK."""
