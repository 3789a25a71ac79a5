"""Files that are either whole or absent: written under a temporary name, flushed, then renamed.

What is written here can be told from what is damaged: parquet files carry a digest of their content, JSON records may.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import DamagedFile, StaleOutput

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SELF = "digest"  # the key of a record's digest of everything else in it
MARK = b"unlearning-benchmark"  # the key of the same in parquet metadata


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name in ``path``'s folder; on success it becomes ``path``, on any error it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
        _flush(path.parent)
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
    write_json(path, value | {SELF: digest(value)})


def read_record(path: Path, remedy: str = "run snakemake") -> dict[str, Any]:
    """Return what `write_record` wrote; a file without a digest is taken as it is.

    Raises `StaleOutput`, which tells the ``remedy``, if there is no file, and `DamagedFile` if it holds no JSON object
    or is not what was written.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StaleOutput(f"{path} is missing: {remedy}") from None
    except ValueError as error:
        raise DamagedFile(path, str(error)) from None
    if not isinstance(content, dict):
        raise DamagedFile(path, f"holds {type(content).__name__}, not an object")
    if content.pop(SELF, None) not in (None, digest(content)):
        raise DamagedFile(path, "its content is not what was written")
    return content


def write_parquet(path: Path, frame: pd.DataFrame, about: dict[str, Any] | None = None) -> None:
    """Write ``frame`` as zstd-compressed parquet without its index, whole or not at all, and what it was made from
    (``about``), to be compared when it is read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    note = {"about": about, "sha256": _content(table)}
    metadata = {**(table.schema.metadata or {}), MARK: json.dumps(note | {SELF: digest(note)}, sort_keys=True)}
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")


def read_parquet(path: Path, about: dict[str, Any] | None = None, remedy: str = "run snakemake") -> pd.DataFrame:
    """Return what `write_parquet` wrote.

    Raises `StaleOutput`, which tells the ``remedy``, if there is no file, and `DamagedFile` if it cannot be read, is
    not what was written, or was made from something other than ``about``.
    """
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:  # whose errors name the path
            table = pq.ParquetFile(file).read()
        note = json.loads((table.schema.metadata or {})[MARK])
        same = note.pop(SELF, None) in (None, digest(note)) and note["sha256"] == _content(table)
        # Without what pandas notes of its own about columns, which the digest does not cover.
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    except FileNotFoundError:
        raise StaleOutput(f"{path} is missing: {remedy}") from None
    except Exception as error:  # what a parquet reader makes of noise is not a closed list
        if isinstance(error, MemoryError) or getattr(error, "errno", None):
            raise  # the machine's fault, not the file's: it is not to be set aside
        raise DamagedFile(path, " ".join(f"{type(error).__name__}: {error}".split())[:200]) from None
    if not same:
        raise DamagedFile(path, "its content is not what was written")
    origin = note.get("about")
    if about and origin and origin != {**origin, **about}:
        raise DamagedFile(path, f"it was made from {origin}, not from {about}")
    return frame


def written_digest(path: Path) -> str | None:
    """Return 16 hexadecimal digits of what `write_parquet` wrote there, as the file says; None if it does not say.

    Quick, since only the end of the file is read; whether it is true is for `read_parquet` to find.
    """
    written = _note(path).get("sha256")
    return str(written)[:16] if written else None


def written_origin(path: Path) -> dict[str, Any]:
    """Return what the content was made from, as `write_parquet` noted it; nothing if the file does not say."""
    about = _note(path).get("about")
    return about if isinstance(about, dict) else {}


def _note(path: Path) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        note = json.loads((pq.read_metadata(path).metadata or {})[MARK])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return {}
    return note if isinstance(note, dict) else {}


def _content(table: pa.Table) -> str:
    """Return a SHA-256 of names and values, the same for every version of the file format."""
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
    """Rename a file that cannot be used, so that it can be looked at and the workflow makes it again; return where."""
    aside = path.with_name(f"{path.name}.{why}")
    path.replace(aside)
    return aside


@contextlib.contextmanager
def repairing() -> Iterator[None]:
    """Set the file aside that something inside finds damaged, and raise `StaleOutput` that says so.

    The jobs of the workflow and ``verify`` run inside of this; whoever only looks does not.
    """
    try:
        yield
    except DamagedFile as error:
        if not error.path.exists():
            raise
        raise StaleOutput(f"{error}; set aside as {set_aside(error.path)}: run snakemake again") from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock ``path`` against other processes, waiting for whoever has it; yield whether there was a wait.

    The kernel lets go of it when the process ends, however it ends. Where a file system has no locks, nothing is held.
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
            print(f"waiting for another process that holds {path}", flush=True)
            lock.acquire()
    try:
        yield waited
    finally:
        if lock.is_locked:
            path.unlink(missing_ok=True)  # while it is held: who waits for it sees that the file is another one
            lock.release()


def make_writable(folder: Path) -> None:
    """Make a folder unless it is there; raise `PermissionError` if nothing can be written into it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def sweep(folder: Path) -> None:
    """Remove what `replacing` leaves in a folder when its process is killed; nobody may be writing there."""
    for left in folder.glob(".*.*"):
        if left.is_file() and not left.name.endswith(".lock"):
            left.unlink(missing_ok=True)


def _flush(folder: Path) -> None:
    """Make a renaming in ``folder`` last through a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # not every file system can
            os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of ``value`` written as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
