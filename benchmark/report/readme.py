"""The tables in the README: what stands between ``<!-- <path>.md -->`` and ``<!-- end -->`` is that file.

``python -m benchmark.report.readme`` puts it there; a test holds the README to it.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmark import files

README = Path("README.md")
SHOWN = re.compile(r"(<!-- (\S+\.md) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def filled(text: str, root: Path = Path()) -> str:
    """Return the README's text with each file's content between its markers; with nothing where there is no file.

    Parameters
    ----------
    text : the README as it is.
    root : the folder that the markers' paths start from.
    """

    def content(match: re.Match[str]) -> str:
        path = root / match[2]
        return match[1] + (path.read_text(encoding="utf-8") if path.is_file() else "") + match[4]

    return SHOWN.sub(content, text)


if __name__ == "__main__":
    files.write_text(README, filled(README.read_text(encoding="utf-8")))
