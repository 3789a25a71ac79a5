"""Reading and gathering the files of runs, and predictions made elsewhere. Nothing here imports torch."""
