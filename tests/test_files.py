import errno
import fcntl
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmark import files, paths


def test_a_file_is_replaced_completely_or_not_at_all(tmp_path):
    path = tmp_path / "a" / "b.txt"
    files.write_text(path, "before")
    for error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error), files.replacing(path) as temporary:
            temporary.write_text("half")
            raise error
        assert path.read_text() == "before" and [entry.name for entry in path.parent.iterdir()] == ["b.txt"]
    mask = os.umask(0o022)
    with files.replacing(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before" and temporary.suffix == ".txt"
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644  # others may read it
    assert path.read_text() == "after" and [entry.name for entry in path.parent.iterdir()] == ["b.txt"]


def test_digests_are_sha256_and_do_not_depend_on_the_order_of_keys(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert files.sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
    assert files.digest({"a": 1, "b": [1.5, None]}) == files.digest({"b": [1.5, None], "a": 1})
    assert len(files.digest({})) == 16
    assert len({files.digest(value) for value in ({"a": 1}, {"a": 1.5}, {"a": "1"}, {"b": 1}, {"a": None})}) == 5


def test_every_path_is_relative_to_the_project():
    assert not any(value.is_absolute() for value in vars(paths).values() if isinstance(value, Path))
    pool_path = "digits/convnet/random-10/coun/trial-0-0a1b2c3d"
    assert paths.run(pool_path) == Path("results/runs") / pool_path


@pytest.fixture
def frame():
    return pd.DataFrame({"a": [1, 2, 3], "b": [0.5, np.nan, 2.0], "c": ["x", "y", None], "d": [True, False, True]})


def test_files_read_back_as_written(tmp_path, frame):
    files.write_parquet(tmp_path / "x.parquet", frame, {"seed": 1})
    loaded = files.read_parquet(tmp_path / "x.parquet", {"seed": 1})
    pd.testing.assert_frame_equal(loaded, pd.read_parquet(tmp_path / "x.parquet"))
    assert loaded["a"].tolist() == [1, 2, 3] and loaded["c"].tolist()[:2] == ["x", "y"]
    with pytest.raises(files.DamagedFile, match=r"made from .*1.*, not from .*2"):
        files.read_parquet(tmp_path / "x.parquet", {"seed": 2})
    files.write_record(tmp_path / "x.json", {"a": [1.5, float("nan")]})
    assert str(files.read_record(tmp_path / "x.json")) == "{'a': [1.5, nan]}"


def test_every_flipped_bit_in_a_record_is_found(tmp_path):
    path = tmp_path / "x.json"
    files.write_record(path, {"seconds": 12.5, "name": "coun", "many": list(range(20))})
    intact, content = path.read_bytes(), files.read_record(path)
    for index in range(len(intact)):
        path.write_bytes(intact[:index] + bytes([intact[index] ^ 1]) + intact[index + 1 :])
        try:
            assert files.read_record(path) == content  # white space, or the digest's own name
        except files.DamagedFile:
            pass
        except AssertionError:
            assert b'"digest"' not in path.read_bytes(), index


def test_no_flipped_bit_in_a_parquet_file_changes_what_is_read(tmp_path, frame, pytestconfig):
    path, origin = tmp_path / "x.parquet", {"seed": 1, "classes": ["cat", "dog"]}
    files.write_parquet(path, frame, origin)
    intact, content = path.read_bytes(), files.read_parquet(path)
    rng, noticed = np.random.default_rng(list(pytestconfig.option.hypothesis_seed.encode())), 0
    for index in rng.integers(len(intact), size=500):
        path.write_bytes(intact[:index] + bytes([intact[index] ^ (1 << int(rng.integers(8)))]) + intact[index + 1 :])
        try:
            assert files.read_parquet(path).equals(content) and files.written_origin(path) == origin
        except files.DamagedFile:
            noticed += 1
    assert noticed > 50


def test_a_file_that_is_not_of_its_kind_is_damaged(tmp_path, frame):
    parquet, record = tmp_path / "x.parquet", tmp_path / "x.json"
    files.write_parquet(parquet, frame)
    files.write_record(record, {"a": 1, "long": "x" * 99})
    for path, read in ((parquet, files.read_parquet), (record, files.read_record)):
        for content in (b"", path.read_bytes()[:50], b"[]", b"\xff" * 99):
            path.write_bytes(content)
            with pytest.raises(files.DamagedFile) as caught:
                read(path)
            assert "\n" not in str(caught.value), content


@pytest.mark.parametrize("fault", [MemoryError("no memory"), OSError(errno.EMFILE, "Too many open files")])
def test_a_lack_of_memory_or_file_handles_is_no_damage_to_a_file(tmp_path, frame, monkeypatch, fault):
    path = tmp_path / "x.parquet"
    files.write_parquet(path, frame)

    def fail(*_, **__):
        raise fault

    with monkeypatch.context() as patch, files.repairing(), pytest.raises(type(fault)):
        patch.setattr("pyarrow.parquet.ParquetFile", fail)
        files.read_parquet(path)
    pd.testing.assert_frame_equal(files.read_parquet(path), frame)


def test_a_lock_is_held_by_one_process_and_ends_with_it(tmp_path):
    code = f"""
import sys, time
from pathlib import Path
from benchmark.files import locked
with locked(Path({str(tmp_path / "x.lock")!r})) as waited:
    print(waited, flush=True)
    time.sleep(60)
"""
    started = []
    try:
        for stream, line in (("stdout", "False\n"), ("stderr", "waiting for another process")):
            pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
            started.append(subprocess.Popen([sys.executable, "-c", code], text=True, **pipes))
            assert getattr(started[-1], stream).readline().startswith(line)
        started[0].kill()
        assert started[1].stdout.readline() == "True\n"
    finally:
        for process in started:
            process.kill()
            process.wait()
    with files.locked(tmp_path / "x.lock") as waited:
        assert not waited
    assert not (tmp_path / "x.lock").exists()


@pytest.mark.parametrize("problem", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks_stops_nobody(tmp_path, monkeypatch, problem):
    def refuse(*_):
        raise OSError(problem, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with files.locked(tmp_path / "x.lock") as waited, files.locked(tmp_path / "x.lock") as waited_again:
        assert not waited and not waited_again


def test_what_a_killed_process_left_is_swept_away(tmp_path):
    (tmp_path / ".x.json.abc.json").touch()
    (tmp_path / "x.json").touch()
    files.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_numbers_that_seldom_repeat_are_stored_without_a_dictionary_and_come_back(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"index": np.arange(1000), "loss": rng.random(1000, np.float32), "label": np.arange(1000) % 10}
    )
    frame["odd.name"] = np.where(frame["label"] == 0, np.nan, rng.random(1000))
    frame.loc[:, "split"] = "train"
    files.write_parquet(tmp_path / "samples.parquet", frame)
    columns = pq.ParquetFile(tmp_path / "samples.parquet").metadata.row_group(0)
    encodings = {
        column.path_in_schema: set(column.encodings) for column in map(columns.column, range(columns.num_columns))
    }
    assert encodings["loss"] >= {"BYTE_STREAM_SPLIT"} and encodings["odd.name"] >= {"BYTE_STREAM_SPLIT"}
    assert "DELTA_BINARY_PACKED" in encodings["index"]
    assert all("RLE_DICTIONARY" in encodings[name] for name in ("label", "split"))
    pd.testing.assert_frame_equal(files.read_parquet(tmp_path / "samples.parquet"), frame)
