"""Tables: a module ``<kind>_table`` builds a kind."""
