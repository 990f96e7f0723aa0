"""The load's own process; `benchmarks.load` starts it."""
