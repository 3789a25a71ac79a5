import subprocess

import pytest
from shown_tables import PAGES, SHOWN, filled

from tests.project import ROOT

MARKED = "Before\n\n<!-- tables/a.md -->\n{}<!-- end -->\n\nbetween\n\n<!-- tables/b.md -->\n{}<!-- end -->\n"
SHOWS = (
    "paper_tables/cifar10-fair/table3.md",
    "paper_tables/cifar10/table3.md",
    "paper_tables/cifar10-small/audit.md",
    "paper_tables/cifar10-fair/search.md",
    "paper_tables/cifar10-small/claims.md",
    "paper_tables/rates/rates-vgg.md",
    "paper_tables/leaderboard/README.md",
    "paper_tables/scale/scale.md",
    "results/bench/machines.md",
)


@pytest.mark.parametrize(("page", "table"), list(zip(PAGES, SHOWS, strict=True)))
def test_a_page_shows_its_tables_as_they_are_committed(page, table) -> None:
    # Another processor's table may differ in a last digit. If this fails: python docs/shown_tables.py
    tables = {match[2]: match[3] for match in SHOWN.finditer((ROOT / page).read_text(encoding="utf-8"))}
    assert table in tables
    for path, text in tables.items():
        git = subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True)
        committed = git.stdout if git.returncode == 0 else (ROOT / path).read_bytes()
        assert committed.decode() == text


def test_tables_stand_between_their_markers_and_a_missing_one_leaves_nothing_there(tmp_path) -> None:
    assert filled(MARKED.format("| old |\n", ""), tmp_path) == MARKED.format("", "")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "a.md").write_text("| a |\n")
    (tmp_path / "tables" / "b.md").write_text("| b |\n")
    expected = MARKED.format("| a |\n", "| b |\n")
    assert filled(MARKED.format("", "| old |\n"), tmp_path) == expected
    assert filled(expected, tmp_path) == expected
