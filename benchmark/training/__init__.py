"""The one training loop, of Original, Retrain and every method, and the job that runs it."""
