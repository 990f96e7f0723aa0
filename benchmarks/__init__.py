"""Measures Gatehouse against the figures that it promises: `python -m benchmarks`, explained in docs/benchmarks.md."""
