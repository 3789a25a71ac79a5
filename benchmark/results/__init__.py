"""Reading and gathering the files of runs. Nothing here imports torch."""
