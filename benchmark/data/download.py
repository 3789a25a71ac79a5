"""Downloads: resumed where they stopped, and never used before their checksum is right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pooch

from benchmark.errors import BadInput
from benchmark.files import locked

CHUNK = 1 << 14  # bytes: as much may be fetched twice
NOTHING_LEFT = 416  # HTTP status of a range that begins at the file's end


@dataclass(frozen=True)
class Archive:
    """A published file: where it comes from, and the MD5 that its publisher states."""

    url: str
    md5: str

    @property
    def file(self) -> str:
        """Its name, there and in the download folder."""
        return self.url.rpartition("/")[2]


def obtain(archive: Archive, folder: Path) -> Path:
    """Return the archive's path in ``folder``, downloaded if it is not there, its checksum verified in any case.

    A download grows in ``<file>.part`` and gets its name only once it is complete and right; one that was cut off is
    continued with an HTTP Range request. Raises `BadInput` if it fails, or the checksum is wrong: a wrong ``.part`` is
    removed, a wrong file that somebody put there is left for them to look at.
    """
    path, part = folder / archive.file, folder / f"{archive.file}.part"
    with locked(folder / f".{archive.file}.lock"):  # two studies may want it at once
        if path.exists():
            _verify(path, archive)
            return path
        try:
            _download(archive, part)
        except OSError as error:
            raise BadInput(
                f"{archive.url}: {error}: run again to continue the download, or put the file into {folder} under the "
                f"name {archive.file}"
            ) from None
        try:
            _verify(part, archive)
        except BadInput:
            part.unlink()
            raise
        part.replace(path)
        return path


def _download(archive: Archive, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    # Not packed once more on the way: what is written is what the checksum is of.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with part.open("ab") as file:
        try:
            pooch.HTTPDownloader(progressbar=True, chunk_size=CHUNK, headers=headers)(archive.url, file, None)
        except OSError as error:  # what requests raises
            status = getattr(getattr(error, "response", None), "status_code", None)
            if not have or status != NOTHING_LEFT:
                raise


def _verify(path: Path, archive: Archive) -> None:
    md5 = pooch.file_hash(str(path), alg="md5")
    if md5 != archive.md5:
        raise BadInput(
            f"{path}: MD5 is {md5}; accepted is {archive.md5} of {archive.url}: the file is cut off, damaged or "
            "another one; delete it to have it downloaded again"
        )
