"""Tables and figures, drawn from what runs have left on disk; nothing here imports torch or trains."""
