from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from benchmark import files


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "a" / "b.txt"
    files.write_text(path, "before")
    with pytest.raises(ZeroDivisionError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "before" and [p.name for p in path.parent.iterdir()] == ["b.txt"]
    with files.replacing(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before" and temporary.suffix == ".txt"
    assert path.read_text() == "after" and [p.name for p in path.parent.iterdir()] == ["b.txt"]


def test_an_interrupted_write_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), files.replacing(tmp_path / "x") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_others_may_read_what_was_written(tmp_path):
    before = os.umask(0o022)
    try:
        files.write_json(tmp_path / "x.json", {"a": 1})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.json").stat().st_mode) == 0o644
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}


def test_digests_are_sha256_and_do_not_depend_on_the_order_of_keys(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert files.sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
    assert files.digest({"a": 1, "b": [1.5, None]}) == files.digest({"b": [1.5, None], "a": 1})
    assert len(files.digest({})) == 16
    assert len({files.digest(value) for value in ({"a": 1}, {"a": 1.5}, {"a": "1"}, {"b": 1}, {"a": None})}) == 5


def test_every_path_is_relative_to_the_project():
    from benchmark import paths

    assert not any(value.is_absolute() for value in vars(paths).values() if isinstance(value, Path))
    assert paths.run("quick", "digits/convnet/random-10/coun@tau=0.2/trial-0") == Path(
        "results/quick/runs/digits/convnet/random-10/coun@tau=0.2/trial-0"
    )
