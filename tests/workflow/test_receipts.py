"""Receipts say which form of a study the files on disk are drawn of."""

from pathlib import Path

import pytest

from benchmark import paths
from benchmark.features.embed import embed
from benchmark.files import read_record, write_record
from benchmark.workflow import receipts
from tests.pool import run_folder
from tests.project import CELL

TABLE = Path("table.md")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the fixture ``project`` has a folder of its own


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


def test_a_drawing_that_fails_keeps_the_receipt_of_files_of_which_git_has_a_part():
    with receipts.renewed(receipt("a")) as files:
        for file in (TABLE, ignored := TABLE.with_suffix(".html")):
            file.write_text("5 trials")
            files.append(file)
    ignored.unlink()
    with pytest.raises(RuntimeError):
        draw("a", "", fails=True)
    assert kept() == [receipt("a").name]


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


@pytest.mark.parametrize("read", ["sha256", "read_record"])
def test_what_is_drawn_again_while_it_is_checked_is_passed_over(read, monkeypatch):
    draw("a", "5 trials")
    found = getattr(receipts, read)

    def drawing(path):
        receipt("a").unlink(missing_ok=True)
        TABLE.write_text("half")
        return found(path)

    monkeypatch.setattr(receipts, read, drawing)
    assert receipts.check("mine") == (0, [])


def test_what_shows_a_run_or_comes_of_its_weights_is_made_again_if_that_run_came_out_otherwise(project):
    distances = {"kind": "distances", "cells": [CELL], "methods": ["ft"], "classes": ["8", "1"]}
    study, name = project.study({"tables": {"table4": distances}}), project.name("ft")
    other = project.study({"tables": {"table2": {"methods": ["ft"]}}}, name="other")
    for run in other.runs():
        project.run(study, str(run.name))
    project.command("table", "other", "table2", check=True)
    drawn, derived = other.receipt("table2"), Path(embed(study, "distances", name, "random-10"))
    for owner in (other, study):
        receipts.outdate(owner)
    assert drawn.exists() and derived.exists()
    file = run_folder(study, name) / paths.RUN
    record = read_record(file)
    digests = record["sha256"] | {paths.SAMPLES: "0" * 64, paths.MODEL: "0" * 64}
    write_record(file, record | {"sha256": digests})
    receipts.outdate(study)
    assert drawn.exists() and not derived.exists() and derived.with_name(f"{derived.name}.other").exists()
    receipts.outdate(other)
    assert not drawn.exists()
    derived.with_name(f"{derived.name}.other").rename(derived)
    record = file.read_bytes()
    file.write_bytes(record[: len(record) // 2])
    receipts.outdate(study)  # whoever reads the record says that it is damaged
    assert derived.exists()
    file.unlink()  # without its runs, a checkout keeps what was drawn
    drawn.write_bytes(b"{}")
    receipts.outdate(other)
    assert drawn.exists()
