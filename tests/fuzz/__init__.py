"""Fuzzing of what a stranger can hand over. A few examples run with the other tests, many with `make test-fuzz`."""
