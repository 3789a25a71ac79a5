"""A benchmark harness for machine unlearning: every number against Retrain."""

__version__ = "0.1.0"
