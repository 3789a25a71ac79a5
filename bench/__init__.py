"""``python -m benchmark bench``: how fast this code is, beside a plain reference and the hardware's ceiling.

Each section is a module with a function ``rows(options)``. Ours and the reference take turns on the same work, in one
process; in processes of their own where memory matters (``train``, ``evaluate``, ``memory``, and ``alternatives`` in
part). Each row says how often it was timed. ``docs/speed.md`` tells what was found.
"""
