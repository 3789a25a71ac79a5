"""The tables in the README and the manual: a file's text stands between ``<!-- <path>.md -->`` and ``<!-- end -->``.

``python docs/shown_tables.py`` inserts it; a test checks that it is current.
"""

from __future__ import annotations

import re
from pathlib import Path

MANUAL = ("cifar10", "cifar10-audit", "cifar10-fair", "cifar10-small", "deviations", "leaderboard", "scale", "speed")
PAGES = (Path("README.md"), *(Path(f"docs/{page}.md") for page in MANUAL))
SHOWN = re.compile(r"(<!-- (\S+\.md) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def filled(text: str, root: Path = Path()) -> str:
    """Return a page's text with each file below ``root`` between its markers, or nothing if there is no such file."""

    def content(match: re.Match[str]) -> str:
        """Return the markers with the file's text between them."""
        path = root / match[2]
        return match[1] + (path.read_text(encoding="utf-8") if path.is_file() else "") + match[4]

    return SHOWN.sub(content, text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
