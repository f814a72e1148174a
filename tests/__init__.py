"""Tests of the toolkit, the benchmarks, and the script that takes the README's pictures."""
