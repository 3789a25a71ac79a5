"""The files of a finished run: its samples, its history, perhaps its weights, and the record of them all."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load, save

from benchmark.files import replacing, sha256, sweep, write_parquet, write_record, written_digest
from benchmark.paths import HISTORY, MODEL, RUN, SAMPLES
from benchmark.results.records import checked
from benchmark.study.runs import Run
from benchmark.study.study import Study


def write_run(
    folder: Path,
    samples: pd.DataFrame,
    history: list[dict[str, float]],
    record: dict[str, Any],
    weights: dict[str, torch.Tensor],
    keep_weights: Path | None,
) -> None:
    """Write the files of a run that has ended, and its ``weights`` to ``keep_weights`` if that is given.

    If the folder held a finished run with other samples, its files are kept beside the folder.
    """
    with _keeping_earlier(folder):
        sweep(folder)
        write_parquet(folder / SAMPLES, samples.astype({"index": "int32", "label": "int16", "prediction": "int16"}))
        write_parquet(folder / HISTORY, pd.DataFrame(history))
        digests = {name: sha256(folder / name) for name in (SAMPLES, HISTORY)}
        if keep_weights:
            with replacing(keep_weights) as temporary:
                # Copies, since the format has no weights that two layers share.
                copies = {key: value.clone(memory_format=torch.contiguous_format) for key, value in weights.items()}
                temporary.write_bytes(save(copies))
            digests[MODEL] = sha256(keep_weights)
        # Last, since it holds the digests of the others.
        write_record(folder / RUN, record | {"sha256": digests})


def weights_of(study: Study, run: Run) -> dict[str, torch.Tensor]:
    """Return a finished run's weights; raise `StaleOutput` as `benchmark.results.records.checked` does."""
    return load(checked(study, run, MODEL).read_bytes())


@contextlib.contextmanager
def _keeping_earlier(folder: Path) -> Iterator[None]:
    """Remove a run's record while its files are written anew; keep the earlier files if its samples differ."""
    if not (folder / RUN).is_file():
        yield
        return
    earlier_digest, number = written_digest(folder / SAMPLES), 1
    while (earlier := folder.with_name(f"{folder.name}.earlier-{number}")).exists():
        number += 1
    try:
        shutil.copytree(folder, earlier)
        (folder / RUN).unlink()
        yield
    except BaseException:  # such as a full disk: the earlier files survive
        incomplete = earlier if (folder / RUN).is_file() else folder
        shutil.rmtree(incomplete, ignore_errors=True)
        if incomplete == folder:
            earlier.rename(folder)
        raise
    if written_digest(folder / SAMPLES) == earlier_digest:
        shutil.rmtree(earlier)
    else:
        print(f"the samples differ from before: the earlier files are kept in {earlier}", flush=True)
