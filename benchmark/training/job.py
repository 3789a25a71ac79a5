"""One run, from its name to its files: what ``python -m benchmark run STUDY NAME`` does."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmark import paths
from benchmark.data import store
from benchmark.data.splits import forgotten
from benchmark.errors import BadInput, line_of
from benchmark.files import locked, make_writable, written_digest
from benchmark.methods.base import Context, Meter, prepare
from benchmark.metrics import measure
from benchmark.metrics.samples import METRICS
from benchmark.models import build, forward_flops
from benchmark.names import DIVERGED, FINISHED, HELD_OUT, Cell, Scenario
from benchmark.paths import MODEL, PROGRESS
from benchmark.results.records import finished, forget_rows, record
from benchmark.seeds import Streams, members_stream
from benchmark.stamp import joined
from benchmark.study.plugins import stamp_with
from benchmark.study.prepare import held_out
from benchmark.study.prepare import load as load_arrays
from benchmark.study.runs import Run
from benchmark.study.study import Study
from benchmark.training.batches import Images, predictions_of
from benchmark.training.checkpoint import Checkpoint
from benchmark.training.device import OFF, Device, compile_mode, explained, process_memory_mb
from benchmark.training.loop import Interrupted, Trainer
from benchmark.training.optimiser import learning_rate
from benchmark.training.progress import Note, progress_display
from benchmark.training.run_files import weights_of, write_run

CHECKPOINT_SECONDS = 60.0


class Job:
    """A run under way; raises `StaleOutput` if the dataset, the split or Original's weights are missing or damaged.

    ``command`` is the command line that started it, for the record; ``keep_weights`` the file for its weights, if any;
    ``folder`` its working folder, by default that of the run.
    """

    unseen = "test"  # the split that metrics are taken over beside the training images

    def __init__(
        self, study: Study, run: Run, command: str, keep_weights: Path | None = None, folder: Path | None = None
    ):
        self.study, self.run, self.command, self.keep_weights = study, run, command, keep_weights
        self.device = Device.choose(study.precision, study.threads, computes=run.name.method not in study.scored)
        self.started, self._clock_start = datetime.now(UTC), time.perf_counter()  # after a wait for a GPU
        self._last_save, self._earlier_seconds = time.monotonic(), 0.0  # the latter of calls that were interrupted
        arrays = load_arrays(study, run.name.dataset)
        self.data = store.content_digest(study.dataset_folder(run.name.dataset))
        self.images = Images(arrays, study.datasets[run.name.dataset].augmentation, self.device.device)
        self.held_out = held_out(study, run, len(arrays.train_labels))
        self.forget = None if run.name.is_original else forget_rows(study, run)
        self.split = None if run.name.is_original else written_digest(paths.split(study.split_of(run).pool_path))
        self.original = record(study, study.run(run.original)) if run.original else None
        self.started_from = self.original["sha256"][MODEL] if self.original else None
        # Taken now: hours later the code on disk may be other than what runs here.
        self.stamp = stamp_with(*study.plugins) | {
            "device": self.device.name,
            "precision": self.device.precision + ("" if compile_mode() == OFF else ", compiled"),
            "threads": str(torch.get_num_threads()),
            "data": self.data,
            **({"checksum": checksum} if (checksum := study.datasets[run.name.dataset].checksum) else {}),
        }
        key = (run.name.dataset, run.name.arch, run.name.scenario, f"trial-{run.name.trial}")
        self.streams = Streams(study.seed, key)
        made_from = {"slice": run.origin, "data": self.data, "split": self.split, "original": self.started_from}
        self.checkpoint = Checkpoint(folder or paths.work(run.pool_path), self.device, **made_from)
        self.note = Note(self.checkpoint.folder / PROGRESS, run.settings.epochs, self.started)
        self._stop: int | None = None
        self._stage_start: dict[str, torch.Tensor] | None = None
        self._samples: pd.DataFrame | None = None

    def go(self) -> str:
        """Train, evaluate and write the run's files; return ``finished`` or ``diverged``.

        Raises `Interrupted` on SIGTERM or SIGINT: the state is saved, and the next call resumes from it.
        """
        make_writable(paths.run(self.run.pool_path))  # before the hours of training, not after them
        model = self._starting_model()
        with self._signals(), progress_display(self.run.settings.epochs) as show:
            trainer = self._train(model, [show, self._write_note])
        status = DIVERGED if trainer.diverged else FINISHED
        self._write(trainer, status)
        self.checkpoint.remove()
        return status

    def _train(self, model: nn.Module, listeners: list[Callable[[Trainer], None]]) -> Trainer:
        """Train all stages, from where an earlier call was stopped; only sequential runs have more than one."""
        state = self.checkpoint.load() or {"stage": 1, "start": None}
        self._earlier_seconds = state.get("wall_seconds", 0.0)
        self.stamp = joined(state.get("stamp", {}), self.stamp)
        stages = Scenario(self.run.name.scenario).stages if self.run.name.scenario else 1
        meter = Meter()
        history: list[dict[str, float]] = []
        for stage in range(state["stage"], stages + 1):
            if state["start"]:
                model.load_state_dict(state["start"])
            # No file holds the weights that a later stage starts from: a checkpoint has to.
            self._stage_start = {key: value.clone() for key, value in model.state_dict().items()} if stage > 1 else None
            trainer = self._trainer(model, stage, stages, meter)
            trainer.history = history
            if "model" in state:
                trainer.load_state(state)
                print(f"resumed after epoch {trainer.offset + trainer.epoch}, step {trainer.step}", flush=True)
            self._write_note(trainer)
            trainer.train(self._pause, listeners)
            history, state = trainer.history, {"start": None}
            if trainer.diverged:
                break
        return trainer

    def _trainer(self, model: nn.Module, stage: int, stages: int, meter: Meter) -> Trainer:
        """Prepare the model for a stage. Each is an unlearning run of its own: the method starts afresh."""
        epochs = self.run.settings.epochs // stages
        method = self.run.method(self.run.settings.model_copy(update={"epochs": epochs}), self._context(stage, meter))
        with meter, torch.no_grad():
            prepare(method, model)
            self.device.wait()
        offset = (stage - 1) * epochs
        schedule = None
        if self.study.sequential.schedule == "continue":
            schedule = lambda progress: learning_rate(self.run.settings, offset + progress)  # noqa: E731
        # Taken from Original's record, if there is one: counting imports the compiler, which takes a second.
        recorded = self.original and int(self.original["forward_flops"])
        flops = recorded or forward_flops(self.run.name.arch, self.images.classes, self.images.image_shape)
        return Trainer(model, method, self.device, partial(self._measure, model, stage), flops, stage, offset, schedule)

    def _starting_model(self) -> nn.Module:
        model = self._fresh("init")
        if self.run.original:
            model.load_state_dict(weights_of(self.study, self.study.run(self.run.original)))
        return model

    def _fresh(self, purpose: str) -> nn.Module:
        """Return a newly initialised model; its weights are drawn on the CPU, the same for every device."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.streams.integer(purpose))
            model = build(self.run.name.arch, self.images.classes, self.images.image_shape)
        return self.device.place(model)

    def _context(self, stage: int, meter: Meter) -> Context:
        labels = self.images.labels["train"].clone()  # a method may write into them, and is judged by the true ones
        removed, removed_before = np.zeros((2, 0), dtype=np.int64)
        if self.forget is not None:
            removed, removed_before = (forgotten(self.forget, stage=until) for until in (stage, stage - 1))
        forget_data = np.setdiff1d(removed, removed_before) if self.study.sequential.forget == "new" else removed
        retain_data = np.setdiff1d(np.arange(len(labels)), np.union1d(removed, self.held_out))
        key = self.streams.key if stage == 1 else (*self.streams.key, f"stage-{stage}")
        return Context(
            labels=labels,
            retain=torch.from_numpy(retain_data).to(labels.device),
            forget=torch.from_numpy(forget_data).to(labels.device),
            classes=self.images.classes,
            streams=Streams(self.streams.seed, key),
            load=self.images.load,
            fresh=self._fresh,
            meter=meter,
        )

    def _measure(self, model: nn.Module, stage: int) -> dict[str, float] | None:
        name = self.run.name
        rng = members_stream(self.study.seed, Cell(name.dataset, name.arch, name.scenario), stage)
        samples = self._samples = self._predict(model)
        if not np.isfinite(samples["loss"]).all():
            return None
        forget = None if self.forget is None else self.forget[self.forget["stage"] <= stage]
        metrics = measure(samples, forget, self.study.members, rng, self.unseen)
        return {metric: metrics.get(metric, math.nan) for metric in METRICS}

    def _predict(self, model: nn.Module) -> pd.DataFrame:
        samples = predictions_of(self.run, model, self.images, self.device)
        if len(self.held_out):
            samples.loc[(samples["split"] == "train") & samples["index"].isin(self.held_out), "split"] = HELD_OUT
        return samples

    def _pause(self, trainer: Trainer) -> None:
        """Save the state now and then, and end the job if it was asked to stop; called between two steps."""
        if self._stop is not None:
            self._save(trainer)
            epoch = min(trainer.offset + trainer.epoch + 1, self.run.settings.epochs)
            raise Interrupted(f"stopped by {signal.Signals(self._stop).name} in epoch {epoch}; state saved")
        if time.monotonic() - self._last_save > CHECKPOINT_SECONDS:
            self._save(trainer)
            self._last_save = time.monotonic()
        self.note.beat()

    def _save(self, trainer: Trainer) -> None:
        job_state = {"start": self._stage_start, "wall_seconds": self._wall_seconds(), "stamp": self.stamp}
        self.checkpoint.save(trainer.state() | job_state)

    def _wall_seconds(self) -> float:
        """Return the seconds by the clock of this call, and of earlier ones up to the state that it resumed from."""
        return self._earlier_seconds + time.perf_counter() - self._clock_start

    def _write_note(self, trainer: Trainer) -> None:
        self.note.write(trainer, time.perf_counter() - self._clock_start)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def remember(number: int, _: FrameType | None) -> None:
            self._stop = number

        previous_handlers = {number: signal.signal(number, remember) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous_handlers.items():
                signal.signal(number, handler)

    def _write(self, trainer: Trainer, status: str) -> None:
        # This call has evaluated the last epoch, unless that diverged or ended in an earlier call of the job.
        stale = self._samples is None or trainer.diverged
        samples = self._predict(trainer.model) if stale else self._samples
        run_record = {
            "study": self.study.name,
            "run": str(self.run.name),
            "command": self.command,
            "status": status,
            "diverged_at": trainer.diverged and {"epoch": trainer.diverged[0] + 1, "step": trainer.diverged[1] + 1},
            "fingerprint": self.run.fingerprint,
            "slice": self.run.origin,
            "split": self.split,
            "started_from": self.started_from,
            "started": self.started.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "wall_seconds": round(self._wall_seconds(), 3),
            "peak_memory_mb": round(self.device.peak_memory_mb(), 1),
            "process_memory_mb": round(process_memory_mb(), 1),
            "forward_flops": trainer.forward_flops,
            "stamp": self.stamp,
        }
        weights = trainer.model.state_dict()
        write_run(paths.run(self.run.pool_path), samples, trainer.history, run_record, weights, self.keep_weights)


def run(
    study: Study, name: str, command: str, planned: str | None = None, again: bool = False, weights: bool = False
) -> str:
    """Do one run of a study, by its name; return ``finished`` or ``diverged``.

    A finished run is left as it is, unless it is to be trained ``again``, or for its ``weights``, which are missing.
    If its samples then differ from before, the earlier files are kept beside the folder. Raises `BadInput` if the study
    has no such run or has changed since it was planned, or if what it needs is missing, and `Interrupted` if it was
    asked to stop; another call resumes from the saved state.

    Parameters
    ----------
    command : the command line that started it, for the record.
    planned : the run's fingerprint when it was planned, perhaps long before; None if it was not planned.
    """
    resolved = study.run(name)
    pool_path = resolved.pool_path
    if planned not in (None, resolved.fingerprint):
        raise BadInput(f"run {name}: the study has changed since this job was planned: run snakemake again")
    print(f"$ {command}  # process {os.getpid()} on {platform.node()}", flush=True)
    # A job outlives a Snakemake that was killed, and the workflows of two studies know nothing of each other.
    with locked(paths.work(f"{pool_path}.lock")):
        weights_file, is_kept = paths.run(pool_path) / MODEL, resolved.name in study.runs_with_weights
        status, has_weights = finished(study, resolved), weights_file.is_file()
        if status and not again and (has_weights or not weights):
            remark = "" if has_weights or not is_kept else "; --weights makes its weights again"
            print(f"already finished: {paths.run(pool_path)}; --again trains it again{remark}", flush=True)
            return status
        # Weights that exist may be another study's: a record without their digest would make them useless.
        keep = weights_file if weights or has_weights or is_kept else None
        if keep and planned and not (weights or has_weights):
            keep = paths.parked_weights(pool_path)  # where the workflow's rule `weights` expects them
        with explained(f"run {name}", resolved.settings.batch_size):
            job = Job(study, resolved, command, keep)
            try:
                return job.go()
            except Exception as error:
                if not isinstance(error, Interrupted):  # lest `status` call a failed job interrupted
                    (paths.work(pool_path) / PROGRESS).unlink(missing_ok=True)
                    fault = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                    error.add_note(f"{name}: {fault}{line_of(error, resolved.method.__module__)}")  # for `status`
                raise
