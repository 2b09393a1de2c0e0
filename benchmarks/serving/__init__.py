"""Parts of `benchmarks.serve`, which run in processes of their own."""
