"""The command line, ``python -m benchmark``."""

from __future__ import annotations

import gc
import io
import sys

from benchmark.commands.app import app
from benchmark.errors import BadInput

# These register the commands, in the order in which --help lists them.
# isort: off
from benchmark.commands import studies  # noqa: F401
from benchmark.commands import jobs  # noqa: F401
from benchmark.commands import research  # noqa: F401
from benchmark.commands import authors  # noqa: F401
from benchmark.commands import sharing  # noqa: F401
# isort: on

REFUSED = 3  # exit status; commands that compare end with 1 where they find a difference
BETWEEN_COLLECTIONS = 100_000  # new objects between two garbage collections: imports create many


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit status 2, a refusal of the system 3."""
    gc.set_threshold(BETWEEN_COLLECTIONS)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may support only ASCII
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        # Disk full, folder read-only, no permission: the path and the reason suffice.
        message = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
        sys.exit(REFUSED)
    except MemoryError:
        print("error: out of memory: run fewer jobs at once, or on a machine with more", file=sys.stderr)
        sys.exit(REFUSED)
    finally:
        gc.freeze()  # the process ends: one more collection through all of torch would take half a second


if __name__ == "__main__":
    main()
