"""The tables in the README and the manual: between ``<!-- <path>.md -->`` and ``<!-- end -->`` stands that file.

``python -m benchmark.report.readme`` puts it there; a test holds the pages to it.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmark import files

PAGES = (Path("README.md"), Path("docs/cifar10-small.md"), Path("docs/speed.md"))
SHOWN = re.compile(r"(<!-- (\S+\.md) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def filled(text: str, root: Path = Path()) -> str:
    """Return a page's text with each file below ``root`` between its markers; nothing where there is no such file."""

    def content(match: re.Match[str]) -> str:
        """Return the markers with what belongs between them."""
        path = root / match[2]
        return match[1] + (path.read_text(encoding="utf-8") if path.is_file() else "") + match[4]

    return SHOWN.sub(content, text)


if __name__ == "__main__":
    for page in PAGES:
        files.write_text(page, filled(page.read_text(encoding="utf-8")))
