"""Metrics: pure functions of the per-sample files that runs write. Nothing here imports torch."""

from benchmark.metrics.samples import measure, membership

__all__ = ["measure", "membership"]
