"""Benchmark of training speed, run time and latency, run by `make bench`."""
