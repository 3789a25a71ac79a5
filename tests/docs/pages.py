"""The README and the manual's pages, parsed into blocks, examples and commands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[a-z]+): (?P<value>.*?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """A fenced block, with the comment before it: ``<!-- example: FILE -->``, ``<!-- needs: ... -->`` or none."""

    page: str
    language: str
    text: str
    mark: str | None
    value: str | None


def blocks(page: Path) -> list[Block]:
    """Return a page's fenced blocks in order."""
    fences = FENCE.finditer(page.read_text(encoding="utf-8"))
    return [Block(page.name, fence["language"], fence["text"], fence["mark"], fence["value"]) for fence in fences]


def prose(page: Path) -> str:
    """Return a page's text without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def examples() -> dict[str, str]:
    """Return the files that the pages show, by name; a file that is shown twice is an error."""
    files: dict[str, str] = {}
    for page in PAGES:
        for block in blocks(page):
            if block.mark == "example":
                assert block.value not in files, f"{page.name}: {block.value} is shown elsewhere too"
                files[str(block.value)] = block.text
    return files


@dataclass(frozen=True)
class Command:
    """A command that a page tells people to type, and what it needs that a test lacks."""

    page: str
    text: str
    needs: str | None


def commands() -> Iterator[Command]:
    """Yield the commands of all ``bash`` blocks in order, split at ``&&``."""
    for page in PAGES:
        for block in blocks(page):
            if block.language not in ("bash", "sh", "shell", "console"):
                continue
            needs = block.value if block.mark == "needs" else None
            for line in block.text.replace("\\\n", " ").splitlines():
                if line.strip() and not line.lstrip().startswith("#"):
                    for part in line.split(" && "):
                        yield Command(page.name, part.strip(), needs)
