"""A study file to start from, for users to change."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

from benchmark import paths
from benchmark.errors import BadInput, unknown
from benchmark.files import write_text
from benchmark.names import LONGEST
from benchmark.settings import DatasetSettings
from benchmark.study.reading import STUDY_NAME
from benchmark.study.study import Study
from benchmark.study.tuning import TUNING

BATCH = 64  # images a step, where there are enough
HEAD = """\
# yaml-language-server: $schema=schema.json
# Look for mistakes: python -m benchmark check {name}
description: {description}
"""
EXTENDING = """\
extends: {extends}
only: [comparison] # name new tables here; without this line the study has all tables and figures of {extends}
"""
OF_IMAGES = """\
trials: 3
{members}datasets:
  images:
    source: {source}
    path: {path}
    augmentation: {{padding: 4, flip: true, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}}
    {size}size: 32 # where images differ in size: the side in pixels that all are resized to
hyperparameters:
  "*":
    training: {{epochs: 30, batch_size: {batch}, lr: 0.1}}
    unlearning: {{epochs: 8, batch_size: {batch}, lr: 0.05}}
"""
TABLE = """\
tables:
  comparison: # a target: snakemake --cores 8 comparison --config study={name}
    kind: unlearning
    caption: Gaps to Retrain
    cells: [{cell}] # dataset/architecture/what is forgotten
    methods: [{methods}] # Retrain is always there
"""
SCORED = """\
extends: {extends}
only: [{outputs}]
scored:
  {name}: {files}
tables:
  comparison: &scored # a target: snakemake --cores 8 comparison --config study={name}
    kind: unlearning
    caption: Gaps to Retrain
    cells: [{cell}]
    methods: [{methods}] # Retrain is always there
    trials: {trials}
"""
AUDIT = """\
  audit:
    <<: *scored
    kind: audit
    caption: Audits of every sample
"""


def write(name: str, extends: str, images: Path | None = None) -> Path:
    """Write ``config/<name>.yaml`` and return its path.

    It extends a study, or shows the images in a folder: parquet files, or subfolders ``train`` and ``test``. Raises
    `BadInput` if there is a file of that name already, or nothing to start from, as a folder without ``test``.
    """
    path = _file(name)
    if path.exists():
        raise BadInput(f"{path} exists already: call the new study something else")
    if images is None:
        parent = Study.load(extends)
        gaps = [output for output in parent.tables.values() if output.kind == "unlearning"]
        if not gaps:
            raise BadInput(f"{parent.file}: tables: none of kind 'unlearning', to start a study from")
        cell, methods, body = gaps[0].cells[0], gaps[0].methods, EXTENDING.format(extends=extends)
        description = f"{extends}, with changes"
    else:
        cell, methods, body = "images/convnet/random-10", ["original", "ft", "coun"], _of_images(images)
        description = "Methods compared on your own images"
    table = TABLE.format(name=name, cell=cell, methods=", ".join(methods))
    write_text(path, HEAD.format(name=name, description=description) + body + table)
    return path


def write_scored(folder: Path, extends: str, cell: str, name: str) -> Path:
    """Write ``config/<name>.yaml``, which shows a folder's predictions in a cell beside a study's methods.

    The folder has a file ``trial-<number>.parquet`` for each trial, from 0. Raises `BadInput` if it has none or more
    than the study has trials, if no table of gaps shows the cell, or if there is another study of that name.
    """
    path, study = _file(name), Study.load(extends)
    present = {file.name for file in folder.glob("trial-*") if file.is_file()}
    trials, most = len(present), study.trials
    if not 0 < trials <= most or present != {f"trial-{trial}.parquet" for trial in range(trials)}:
        given = f"has {', '.join(sorted(present)) or 'no file of a trial'}" if folder.is_dir() else "is not a folder"
        accepted = f"accepted are trial-0.parquet and so on, without a gap, to trial-{most - 1}.parquet at most"
        raise BadInput(f"{folder} {given}: {accepted}")
    tables = [output for output in study.tables.values() if output.kind == "unlearning"]
    methods_shown = [output.methods for output in tables if cell in output.cells]
    if not methods_shown:
        raise unknown("cell", cell, (cell for output in tables for cell in output.cells), f"study {extends!r}")
    files, methods = _quoted(folder / "trial-{trial}.parquet"), ", ".join([*methods_shown[0], name])

    def text(count: int) -> str:
        """Return the study of so many trials."""
        complete = count == most  # an audit's readings depend on the number of trials
        return (HEAD + SCORED + AUDIT * complete).format(
            name=name,
            description=f"{name}, whose predictions were made elsewhere",
            extends=extends,
            files=files,
            cell=cell,
            methods=methods,
            trials=count,
            outputs="comparison, audit" if complete else "comparison",
        )

    # A file of its own may be there, of fewer trials or of predictions that have been corrected since.
    if path.exists() and path.read_text(encoding="utf-8") not in map(text, range(1, most + 1)):
        remedy = f"give it another name by --name, or delete {path}"
        raise BadInput(f"{path} exists already, and shows something else or was edited: {remedy}")
    write_text(path, text(trials))
    return path


def _file(name: str) -> Path:
    """Return the file of a new study; raise `BadInput` if its name cannot be a study's."""
    path = paths.study_file(name)
    if not re.fullmatch(STUDY_NAME, name) or len(name) > LONGEST:
        form = f"lower-case words and digits joined by '-' or '_', at most {LONGEST} characters"
        raise BadInput(f"study {name!r}: accepted are {form}")
    if is_number(name):
        raise BadInput(
            f"study {name!r}: snakemake's --config reads that as a number: call the new study something else"
        )
    if name.endswith(TUNING) or name in paths.NO_STUDIES:
        raise BadInput(f"study {name!r}: a name that is taken: call the new study something else")
    return path


def is_number(name: str) -> bool:
    """Whether Python reads a name as a number, as Snakemake then does too."""
    try:
        float(name)
    except ValueError:
        return False
    return True


def _quoted(path: Path) -> str:
    """Return a path as a quoted text of YAML, which would not read characters beyond 16 bits from JSON's escapes."""
    return json.dumps(str(path), ensure_ascii=False)


def _of_images(folder: Path) -> str:
    if not folder.is_dir():
        raise BadInput(f"--images: there is no folder {folder}")
    if any(folder.glob("*.parquet")):
        from benchmark.data import parquet

        batch = BATCH
        with contextlib.suppress(BadInput):  # the files may need patterns of their own
            train, _ = parquet.shards("images", DatasetSettings(source="parquet", path=str(folder)))
            batch = _batch(parquet.count(train))
        return OF_IMAGES.format(source="parquet", path=_quoted(folder), members="", size="# ", batch=batch)
    from benchmark.data import folder as source  # here, since it imports Pillow and joblib
    from benchmark.data.images import differ_in_size

    try:
        _, files = source.images("images", DatasetSettings(source="folder", path=str(folder)))
        size = differ_in_size(
            image for classes in files.values() for of_class in classes.values() for image in of_class
        )
    except BadInput as error:
        raise BadInput(str(error).replace("datasets.images.path", "--images", 1)) from None
    members = "members: random # images from folders are sorted by class\n"
    batch = _batch(sum(map(len, files["train"].values())))
    comment = "" if size else "# "
    return OF_IMAGES.format(source="folder", path=_quoted(folder), members=members, size=comment, batch=batch)


def _batch(images: int) -> int:
    """Return the size of a batch of so many training images: at most half of those that random 10 % retains."""
    return max(2, min(BATCH, images * 9 // 20))
