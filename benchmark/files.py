"""Files that are either whole or absent: written under a temporary name, flushed, then renamed.

Damage is detected: parquet files carry a digest of their content, JSON records may.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import DamagedFile, StaleOutput

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

UMASK = os.umask(0)  # read once: it can only be read by changing it, for all threads
os.umask(UMASK)
DIGEST_KEY = "digest"  # holds the digest of a record's other keys
# What the records of a run and of a prepared dataset hold at least, with its type; older ones may lack other keys.
NEEDED: dict[str, dict[str, Any]] = {
    "run.json": {"run": str, "status": str, "fingerprint": str, "wall_seconds": (int, float)}
    | dict.fromkeys(("slice", "sha256", "stamp"), dict),
    "provenance.json": {"classes": list} | dict.fromkeys(("origin", "shapes", "sha256"), dict),
}
NOTE_KEY = b"unlearning-benchmark"  # of parquet metadata: holds origin and digest of the content


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside ``path``; it becomes ``path`` on success and is removed on any error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~UMASK)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:  # as of a full disk, which names no file
        if error.strerror and error.filename is None:
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path`` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_record(path: Path, value: dict[str, Any]) -> None:
    """Write ``value`` as JSON with a digest of itself, for `read_record`."""
    write_json(path, value | {DIGEST_KEY: digest(value)})


def read_record(path: Path, remedy: str = "run snakemake") -> dict[str, Any]:
    """Return what `write_record` wrote; a file without a digest is not verified.

    Raises `StaleOutput`, which names the ``remedy``, if there is no file, and `DamagedFile` if it holds no JSON object,
    lacks what `NEEDED` lists or is not what was written.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StaleOutput(f"{path} is missing: {remedy}") from None
    except ValueError as error:
        raise DamagedFile(path, str(error)) from None
    if not isinstance(content, dict):
        raise DamagedFile(path, f"holds {type(content).__name__}, not an object")
    if content.pop(DIGEST_KEY, None) not in (None, digest(content)):
        raise DamagedFile(path, "its content is not what was written")
    if lacking := [key for key, kind in NEEDED.get(path.name, {}).items() if not isinstance(content.get(key), kind)]:
        raise DamagedFile(path, f"it is not a record: {', '.join(lacking)} missing or of another type")
    return content


def write_parquet(path: Path, frame: pd.DataFrame, origin: dict[str, Any] | None = None) -> None:
    """Write ``frame`` without its index as zstd-compressed parquet, with what it was made from, whole or not at all.

    Numbers that seldom repeat are encoded apart, which brings the samples of a run to three fifths of their size.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    note: dict[str, Any] = {"about": origin, "sha256": _content(table)}
    note[DIGEST_KEY] = digest(note)
    metadata = {**(table.schema.metadata or {}), NOTE_KEY: json.dumps(note, sort_keys=True)}
    apart = _encoded_apart(table)
    options = {"column_encoding": apart, "use_dictionary": [name for name in table.column_names if name not in apart]}
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd", **options)


def _encoded_apart(table: pa.Table) -> dict[str, str]:
    """Return parquet's encodings of the columns where a dictionary would be of no use: numbers that seldom repeat."""
    import pyarrow as pa
    import pyarrow.compute as pc

    best = dict.fromkeys((pa.float32(), pa.float64()), "BYTE_STREAM_SPLIT")
    best |= dict.fromkeys((pa.int32(), pa.int64()), "DELTA_BINARY_PACKED")
    columns = zip(table.column_names, table.columns, strict=True)
    return {
        name: best[column.type]
        for name, column in columns
        if column.type in best and 4 * pc.count_distinct(column).as_py() > len(column)
    }


def read_table(path: Path) -> pa.Table:
    """Return a parquet file as it is; errors of the file system name the path.

    pandas opens a file as a dataset, which takes two to four times as long.
    """
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        return pq.ParquetFile(file).read()


def read_parquet(path: Path, origin: dict[str, Any] | None = None, remedy: str = "run snakemake") -> pd.DataFrame:
    """Return what `write_parquet` wrote.

    Raises `StaleOutput`, which names the ``remedy``, if there is no file, and `DamagedFile` if it cannot be read, is
    not what was written, or was made from something other than ``origin``.
    """
    try:
        table = read_table(path)
        note = json.loads((table.schema.metadata or {})[NOTE_KEY])
        intact = note.pop(DIGEST_KEY, None) in (None, digest(note)) and note["sha256"] == _content(table)
        # Without pandas's own metadata about columns, which the digest does not cover.
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    except FileNotFoundError:
        raise StaleOutput(f"{path} is missing: {remedy}") from None
    except Exception as error:  # what a parquet reader raises on noise is not a closed list
        if isinstance(error, MemoryError) or getattr(error, "errno", None):
            raise  # the machine's fault, not the file's: the file must not be set aside
        raise DamagedFile(path, " ".join(f"{type(error).__name__}: {error}".split())[:200]) from None
    if not intact:
        raise DamagedFile(path, "its content is not what was written")
    written = note.get("about")
    if origin and written and written != {**written, **origin}:
        raise DamagedFile(path, f"it was made from {written}, not from {origin}")
    return frame


def written_digest(path: Path) -> str | None:
    """Return 16 hexadecimal digits of the content's digest, quickly and unverified; None if the file states none."""
    content = _note(path).get("sha256")
    return str(content)[:16] if content else None


def written_origin(path: Path) -> dict[str, Any]:
    """Return what the content was made from, as `write_parquet` noted it; empty if the file does not say."""
    origin = _note(path).get("about")
    return origin if isinstance(origin, dict) else {}


def _note(path: Path) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        note = json.loads((pq.read_metadata(path).metadata or {})[NOTE_KEY])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return {}
    return note if isinstance(note, dict) else {}


def _content(table: pa.Table) -> str:
    """Return the SHA-256 of names and values, which no version of the file format changes."""
    import pyarrow as pa

    content = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        content.update(f"{len(name)} {name} {len(column)}\n".encode())
        are_numbers = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        if are_numbers and not column.null_count:
            numbers = column.to_numpy()
            content.update(numbers.astype(numbers.dtype.newbyteorder("<")).tobytes())
        else:
            content.update(json.dumps(column.to_pylist(), default=str).encode())
    return content.hexdigest()


def set_aside(path: Path, why: str = "damaged") -> Path:
    """Rename an unusable file or folder, for the workflow to make it again; return the new path, which was free."""
    aside, number = path.with_name(f"{path.name}.{why}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.{why}-{number}")
    path.replace(aside)
    return aside


@contextlib.contextmanager
def repairing() -> Iterator[None]:
    """Set aside a file that the block finds damaged, and raise `StaleOutput` that says so.

    Jobs of the workflow and ``verify`` run inside this block; commands that only read do not.
    """
    try:
        yield
    except DamagedFile as error:
        if not error.path.exists():
            raise
        raise StaleOutput(f"{error}; set aside as {set_aside(error.path)}: run snakemake again") from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock ``path`` against other processes, waiting until it is free; yield whether it had to wait.

    The kernel releases it when the process ends, however it ends. On a file system without locks nothing is held.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, fallback_to_soft=False)
    waited = False
    with contextlib.suppress(OSError):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waited = True
            print(f"waiting for another process that holds {path}", file=sys.stderr)
            lock.acquire()
    try:
        yield waited
    finally:
        if lock.is_locked:
            path.unlink(missing_ok=True)  # while held: a waiting process then sees that the file was replaced
            lock.release()


def make_writable(folder: Path) -> None:
    """Make a folder if it does not exist; raise `PermissionError` if it is not writable."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def sweep(folder: Path) -> None:
    """Remove temporary files that killed processes left in a folder; no other process may be writing there."""
    for file in folder.glob(".*.*"):
        if file.is_file() and not file.name.endswith(".lock"):
            file.unlink(missing_ok=True)


def _flush(folder: Path) -> None:
    """Make a renaming in ``folder`` survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # not every file system supports it
            os.fsync(handle)
    finally:
        os.close(handle)


def files_below(folder: Path, pattern: str) -> list[Path]:
    """Return the files below a folder whose names match a shell pattern, in order. Links to folders are followed."""
    tops = os.walk(folder, followlinks=True)
    return sorted(Path(top, name) for top, _, names in tops for name in fnmatch.filter(names, pattern))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of ``value`` written as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
