"""What is faster than what, measured side by side in one run: `python -m tests.benchmarks`."""
