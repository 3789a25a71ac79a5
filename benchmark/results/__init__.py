"""Reading and gathering what runs left on disk. Nothing here imports torch."""
