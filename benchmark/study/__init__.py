"""A study: what is to be shown, and the runs that this needs."""
