"""Tables: one file a kind."""
