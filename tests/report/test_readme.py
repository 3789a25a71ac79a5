from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest
from shown_tables import PAGES, SHOWN, filled

ROOT = Path(__file__).parents[2]
MARKED = "Before\n\n<!-- tables/a.md -->\n{}<!-- end -->\n\nbetween\n\n<!-- tables/b.md -->\n{}<!-- end -->\n"


SHOWS = (
    "paper_tables/cifar10-small/table3.md",
    "paper_tables/cifar10-small/claims.md",
    "results/bench/machines.md",
    "paper_tables/cifar10-small/audit.md",
)


@pytest.mark.parametrize(("page", "table"), list(zip(PAGES, SHOWS, strict=True)))
def test_a_page_shows_its_tables_as_they_are_committed(page, table, tmp_path) -> None:
    # As committed: another processor's table may differ in a last digit. To mend it: python docs/shown_tables.py
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = [match[2] for match in SHOWN.finditer(text)]
    assert table in shown
    for path in shown:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(_committed(path))
    assert filled(text, tmp_path) == text


def _committed(path: str) -> bytes:
    """A file as the commit has it, or, where this is no git checkout, as it lies there."""
    with contextlib.suppress(FileNotFoundError):
        done = subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True)
        if done.returncode == 0:
            return done.stdout
    return (ROOT / path).read_bytes()


def test_tables_are_put_between_their_markers_and_one_that_is_not_there_leaves_its_place_empty(tmp_path) -> None:
    assert filled(MARKED.format("| old |\n", ""), tmp_path) == MARKED.format("", "")
    (tmp_path / "tables").mkdir()
    for name in "ab":
        (tmp_path / "tables" / f"{name}.md").write_text(f"| {name} |\n")
    whole = MARKED.format("| a |\n", "| b |\n")
    assert filled(MARKED.format("", "| old |\n"), tmp_path) == whole
    assert filled(whole, tmp_path) == whole
