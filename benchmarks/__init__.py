"""Benchmarks: equipoise and its peers on the same games in one run."""
