"""Receipts say which form of a study the files on disk are drawn of."""

from pathlib import Path

import pytest

from benchmark import paths
from benchmark.workflow import receipts

TABLE = Path("table.md")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def receipt(form):
    """The receipt of a table of the study "mine", in one of its forms."""
    return paths.receipt("mine", "table2", form * 8)


def draw(form, text, fails=False):
    with receipts.renewed(receipt(form)) as files:
        if text:
            TABLE.write_text(text)
        if fails:
            raise RuntimeError
        files.append(TABLE)


def kept():
    return sorted(path.name for path in receipt("a").parent.iterdir())


def test_a_table_has_the_receipt_of_the_form_that_was_drawn_last():
    draw("a", "5 trials")
    draw("b", "4 trials")
    assert kept() == [receipt("b").name] and receipts.check("mine") == (1, [])


@pytest.mark.parametrize("form", ["a", "b"])
@pytest.mark.parametrize(("text", "left"), [("", ["a"]), ("half", [])])
def test_a_drawing_that_fails_keeps_the_receipt_of_what_it_left_alone(form, text, left):
    draw("a", "5 trials")
    with pytest.raises(RuntimeError):
        draw(form, text, fails=True)
    assert kept() == [receipt(form).name for form in left]


def test_where_older_files_are_restored_their_receipt_counts_and_they_are_intact():
    draw("a", "5 trials")
    restored = receipt("a").read_bytes()
    draw("b", "4 trials")
    TABLE.write_text("5 trials")  # as git checkout does with both, where the other receipt is ignored
    receipt("a").write_bytes(restored)
    assert receipts.check("mine") == (1, []) and kept() == [receipt("a").name]


def test_a_file_that_no_receipt_fits_is_named():
    draw("a", "5 trials")
    receipt("b").write_bytes(receipt("a").read_bytes())
    TABLE.write_text("changed by hand")
    assert receipts.check("mine") == (0, [(TABLE, "it is not what was drawn")]) and len(kept()) == 2
