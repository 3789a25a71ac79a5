"""Tables and figures, drawn from the results that runs left on disk; nothing here imports torch or trains."""
