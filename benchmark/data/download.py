"""Downloads: resumed where they stopped, and never used before their checksum is right."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from benchmark.errors import BadInput
from benchmark.files import locked

CHUNK = 1 << 20  # bytes
TIMEOUT = 60  # seconds without an answer


@dataclass(frozen=True)
class Archive:
    """A published file: its name in the download folder, where it comes from, and the MD5 its publisher states."""

    file: str
    url: str
    md5: str


def obtain(archive: Archive, folder: Path) -> Path:
    """Return the archive's path in ``folder``, downloaded if it is not there, its checksum verified in any case.

    A download grows in ``<file>.part`` and gets its name only once it is complete and right; one that was cut off is
    continued with an HTTP Range request.

    Raises
    ------
    BadInput
        If the file cannot be downloaded, or its checksum is wrong; a wrong ``.part`` is removed, a wrong file that
        somebody put there is left for them to look at.
    """
    path, part = folder / archive.file, folder / f"{archive.file}.part"
    with locked(folder / f".{archive.file}.lock"):  # two studies may want it at once
        if path.exists():
            _verify(path, archive)
            return path
        _download(archive, part)
        try:
            _verify(part, archive)
        except BadInput:
            part.unlink()
            raise
        part.replace(path)
        return path


def _verify(path: Path, archive: Archive) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != archive.md5:
        raise BadInput(
            f"{path}: MD5 is {found}; accepted is {archive.md5} of {archive.url}: the file is cut off, damaged or "
            "another one; delete it to have it downloaded again"
        )


def _download(archive: Archive, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(archive.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            if answer.status != 206:  # the server sends the whole file, whatever was asked
                have = 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            with (
                part.open("ab" if have else "wb") as file,
                tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=archive.file) as bar,
            ):
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is left to send: the part is complete, which its checksum will tell
            return
        raise _unreachable(archive, part, str(error)) from None
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(archive, part, str(error)) from None
    if total is not None and part.stat().st_size < total:
        raise _unreachable(archive, part, f"connection closed after {part.stat().st_size} of {total} bytes")


def _unreachable(archive: Archive, part: Path, problem: str) -> BadInput:
    return BadInput(
        f"{archive.url}: {problem}: run again to continue the download, or put the file into {part.parent} "
        f"under the name {archive.file}"
    )
