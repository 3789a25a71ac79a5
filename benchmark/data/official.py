"""CIFAR-10, CIFAR-100 and TinyImageNet from the archives that their authors publish.

The dataset's name in the study says which: ``cifar10``, ``cifar100`` or ``tinyimagenet``. Archives are read in place:
nothing is extracted, so nothing can be written outside a folder. CIFAR: Krizhevsky 2009; its python archives hold
pickles, which are read only after the checksum has been verified, by a reader that accepts nothing but numpy arrays.
TinyImageNet: Le and Yang 2015.
"""

from __future__ import annotations

import io
import pickle
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
import pooch

from benchmark import paths
from benchmark.data.arrays import Arrays, Split, clean_classes
from benchmark.data.images import decode_all
from benchmark.errors import BadInput, unknown
from benchmark.files import locked
from benchmark.settings import DatasetSettings


@dataclass(frozen=True)
class Archive:
    """A published file: where it comes from, and the MD5 that its publisher states."""

    url: str
    md5: str

    @property
    def checksum(self) -> str:
        """The MD5 in the form of `DatasetSettings.checksum`."""
        return f"md5:{self.md5}"

    @property
    def file(self) -> str:
        """The file's name, at its source and in the download folder."""
        return self.url.rpartition("/")[2]


# The checksums are those in torchvision's source (CIFAR) and in public loaders of TinyImageNet.
ARCHIVES = {
    "cifar10": Archive("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
    "cifar100": Archive("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
    "tinyimagenet": Archive("http://cs231n.stanford.edu/tiny-imagenet-200.zip", "90528d7ca1a48142e341f4ef8d21d0de"),
}
TINY = "tiny-imagenet-200"
PIECE = 1 << 20  # bytes
CHUNK = 1 << 14  # bytes: at most these are fetched twice
NOTHING_LEFT = 416  # HTTP status of a range that begins at the file's end
# Errors of reading an archive that is damaged or holds something else, or is encrypted (RuntimeError).
ARCHIVE_ERRORS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, pickle.UnpicklingError)
FAILURES = (ValueError, TypeError, LookupError, AttributeError, OSError, EOFError, RuntimeError, *ARCHIVE_ERRORS)


def read(name: str, settings: DatasetSettings) -> Arrays:
    """Return an official dataset, downloading its archive first if it is missing.

    CIFAR is in the order of its batches. TinyImageNet has its classes in the order of their WordNet ids, its training
    images sorted by class, and its *validation* images as test set, since its test images have no public labels.

    Archives are read from the folder ``path``, by default ``data/downloads``, or downloaded to it. For an archive that
    is packed otherwise, as a mirror's may be, ``checksum`` is the one that the study vouches for.
    """
    if name not in ARCHIVES:
        raise unknown("official dataset", name, ARCHIVES, "datasets with source 'official'")
    archive = ARCHIVES[name]
    folder = Path(settings.path) if settings.path else paths.DATA / "downloads"
    path = obtain(archive, folder, settings.checksum or archive.checksum)
    try:
        train, test, classes = _tinyimagenet(path, settings.size) if name == "tinyimagenet" else _cifar(path, name)
    except FAILURES as error:
        problem = f"is not laid out as {name} is published, or no complete archive of it"
        raise BadInput(f"{path}: {problem} ({error})") from None
    origin = {"source": "official", "url": archive.url}
    origin |= {"vouched for by the study": settings.checksum} if settings.checksum else {"md5": archive.md5}
    return Arrays(*train, *test, clean_classes(classes, str(path)), origin, name)


def _cifar(path: Path, name: str) -> tuple[Split, Split, list[str]]:
    if name == "cifar10":
        folder, meta, label_key, names_key = "cifar-10-batches-py", "batches.meta", "labels", "label_names"
        batches = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    else:
        folder, meta, label_key, names_key = "cifar-100-python", "meta", "fine_labels", "fine_label_names"
        batches = ["train", "test"]
    with tarfile.open(path, "r:gz") as archive:
        _refuse_escapes(path, [(member.name, member.isfile() or member.isdir()) for member in archive])

        def member(file: str) -> dict[str, Any]:
            opened = archive.extractfile(f"{folder}/{file}")
            # As bytes, which numpy takes as they are: pixels read as text would be copied twice.
            content = _ArrayUnpickler(io.BufferedReader(_Pieces(opened)), encoding="bytes").load() if opened else {}
            if not isinstance(content, dict):
                raise ValueError(f"{file} holds {type(content).__name__}")
            return {_text(key): value for key, value in content.items()}

        *train, test = (_cifar_batch(member(file), label_key) for file in batches)
        classes = [_text(entry) for entry in member(meta)[names_key]]
    images, labels = (column[0] if len(column) == 1 else np.concatenate(column) for column in zip(*train, strict=True))
    return (images, labels), test, classes


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


class _Pieces(io.RawIOBase):
    """A member of an archive, read a piece at a time: read at once, its pixels would be in memory twice."""

    def __init__(self, member: IO[bytes]) -> None:
        self.member = member

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.member.read(min(len(buffer), PIECE))
        buffer[: len(piece)] = piece
        return len(piece)


class _ArrayUnpickler(pickle.Unpickler):
    """A reader of dicts, lists, strings, numbers and numpy arrays, which refuses every other class or function."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.empty(0).__reduce__()[0]  # numpy has moved it since the archives were made
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not part of an array")


def _cifar_batch(batch: dict[str, Any], label_key: str) -> Split:
    data, labels = np.asarray(batch["data"]), np.asarray(batch[label_key])
    if data.dtype != np.uint8 or labels.dtype.kind not in "iu":
        raise ValueError(f"pixels are {data.dtype} and labels {labels.dtype}, not uint8 and integers")
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels.astype(np.int64)


def _tinyimagenet(path: Path, size: int | None) -> tuple[Split, Split, list[str]]:
    with zipfile.ZipFile(path) as archive:
        _refuse_escapes(
            path, [(file.filename, not stat.S_ISLNK(file.external_attr >> 16)) for file in archive.filelist]
        )
        train_files = [
            name for name in sorted(archive.namelist()) if PurePosixPath(name).match(f"{TINY}/train/*/images/*.JPEG")
        ]
        wnids = [name.split("/")[2] for name in train_files]
        annotations = archive.read(f"{TINY}/val/val_annotations.txt").decode()
        test_files, test_wnids = zip(*(line.split("\t")[:2] for line in annotations.splitlines()), strict=True)
        classes = sorted(set(wnids))
        label_of = {wnid: label for label, wnid in enumerate(classes)}

        def decoded(files: list[str], wnids: Sequence[str]) -> Split:
            labels = np.array([label_of[wnid] for wnid in wnids], dtype=np.int64)
            return decode_all(len(files), ((f"{path}: {file}", archive.read(file)) for file in files), size), labels

        test = decoded([f"{TINY}/val/images/{file}" for file in test_files], test_wnids)
        return decoded(train_files, wnids), test, classes


def _refuse_escapes(path: Path, members: list[tuple[str, bool]]) -> None:
    # Nothing is extracted, so such a member could do no harm, but an archive that has one is not the published one.
    for name, is_plain in members:
        if not is_plain or name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
            raise BadInput(f"{path}: member {name!r} is a link or leaves the archive's folder: archive refused")


# --- downloads: resumed where they stopped, never used before their checksum is verified ----------------------------


def obtain(archive: Archive, folder: Path, checksum: str) -> Path:
    """Return the archive's path in ``folder``, downloading it if it is missing; its checksum is verified in any case.

    A download grows in ``<file>.part`` and gets its name once it is complete and its checksum right; one that was cut
    off continues with an HTTP Range request. Raises `BadInput` if it fails or the checksum is wrong: a wrong ``.part``
    is removed, a wrong file that somebody put there is left for them to inspect.
    """
    path, (kind, _, expected) = folder / archive.file, checksum.partition(":")
    with locked(folder / f".{archive.file}.lock"):  # two studies may want it at once
        if not path.exists():
            try:
                pooch.retrieve(archive.url, checksum, archive.file, folder, downloader=_download)
            except (OSError, ValueError) as error:
                raise BadInput(
                    f"{archive.url}: {error}: run again to continue the download, or put the file into {folder} under "
                    f"the name {archive.file}"
                ) from None
        elif (actual := pooch.file_hash(str(path), alg=kind)) != expected:
            raise BadInput(
                f"{path}: {kind.upper()} is {actual}; accepted is {expected} of {archive.url}: the file is cut off, "
                "damaged or another one; delete it to download it again, or vouch for it by the setting 'checksum'"
            )
    return path


def _download(url: str, output: str, _: object) -> None:
    """Download to ``<file>.part``, from where that ends, and move it to ``output``, whose checksum pooch verifies."""
    part = Path(output).with_name(f"{url.rpartition('/')[2]}.part")
    start = part.stat().st_size if part.exists() else 0
    # Without compression in transit, since the checksum is that of the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with part.open("ab") as file:
        try:
            pooch.HTTPDownloader(progressbar=True, chunk_size=CHUNK, headers=headers)(url, file, None)
        except OSError as error:  # what requests raises
            status = getattr(getattr(error, "response", None), "status_code", None)
            if not start or status != NOTHING_LEFT:
                raise
    part.replace(output)
