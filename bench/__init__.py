"""``python -m benchmark bench``: how fast this code is, beside plain code and beside the hardware's peak.

A section is a module with a function ``rows(options)``. Ours and the reference take turns on the same work; where
memory matters (``train``, ``evaluate``, ``augment``) in processes of their own. ``docs/speed.md`` shows the results.
"""
