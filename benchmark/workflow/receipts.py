"""Receipts: which tables, figures, page and gathered results are drawn, and as the study stood at what time.

The name of a receipt holds the fingerprint of all that determines what was drawn. So an output of a study that has
changed since has none, and Snakemake draws it again; no age of a file says anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.files import read_record, sha256, write_record

FILES = "files"


@contextlib.contextmanager
def renewed(study: str, name: str, fingerprint: str) -> Iterator[list[Path]]:
    """Yield a list for the files that are drawn; on success the receipt of them takes the place of every other."""
    path = paths.receipt(study, name, fingerprint)
    for other in path.parent.glob(f"{name}-*.json"):
        if other != path and other.stem.rpartition("-")[0] == name:
            other.unlink()
    files: list[Path] = []
    yield files
    write_record(path, {FILES: {str(file): sha256(file) for file in files}})


def check(study: str) -> tuple[int, list[tuple[Path, str]]]:
    """Compare what was drawn with its receipts: how many files are whole, and each that is not, with its fault."""
    whole, faults = 0, []
    for path in sorted(paths.receipt(study, "any", "").parent.glob("*.json")):
        try:
            digests = read_record(path)[FILES]
        except (KeyError, BadInput) as error:
            faults.append((path, str(error)))
            continue
        for file, digest in digests.items():
            if not Path(file).is_file():
                continue  # the workflow sees to what is missing
            if sha256(Path(file)) == digest:
                whole += 1
            else:
                faults.append((Path(file), "it is not what was drawn"))
    return whole, faults
