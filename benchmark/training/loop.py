"""The one training loop, of Original, Retrain and every method.

The loop owns images, forward passes, optimiser, schedule, clock and checkpoint; a method says only how it differs
(`benchmark.methods.base`). Any step may precede an interruption: all it needs from the past is in `Trainer.state`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import nn

from benchmark.methods.base import Batch, Method, Output, check_positions, units_of
from benchmark.metrics.samples import METRICS
from benchmark.training.device import Device, compiled
from benchmark.training.optimiser import SGD, learning_rate

EXPLODED = 1e6  # a mean loss beyond this ends a run as diverged, though it is still a number
SAVED = ("epoch", "step", "history", "diverged", "_loss", "_first_bad")  # a trainer's attributes in its checkpoint


class Interrupted(Exception):
    """The run was asked to stop and has saved its state."""


class Trainer:
    """The training of a model by a method.

    Parameters
    ----------
    model, method : the method's `prepare` has been called on the model.
    device : where to train, and in which precision.
    evaluate : called between epochs; returns metrics for the history, or None if the model's outputs are not finite.
    forward_flops : of one image, to turn counted passes into PFLOPs.
    stage : which removal of a sequential scenario this is, from 1.
    offset : epochs of the stages before it.
    schedule : the learning rate after so many epochs of this stage; by default the recipe's.
    """

    def __init__(
        self,
        model: nn.Module,
        method: Method,
        device: Device,
        evaluate: Callable[[], dict[str, float] | None],
        forward_flops: int,
        stage: int = 1,
        offset: int = 0,
        schedule: Callable[[float], float] | None = None,
    ):
        self.model, self.method, self.device, self.evaluate = model, method, device, evaluate
        self.settings, self.context = method.settings, method.context
        self.meter, self.forward_flops, self.stage, self.offset = method.context.meter, forward_flops, stage, offset
        self._forward = compiled(model)
        self.schedule = schedule or partial(learning_rate, self.settings)
        self.optimiser = SGD(model, self.settings)
        self.epoch = self.step = 0
        self.history: list[dict[str, float]] = []
        self.diverged: tuple[int, int] | None = None
        self._generators: dict[str, torch.Generator] = {}
        # On the device, and read once an epoch: reading them in a step would make the CPU wait for the GPU.
        self._loss = torch.zeros((), device=device.device)
        self._first_bad = torch.full((), -1, device=device.device)

    def train(self, pause: Callable[[Trainer], None], listeners: Sequence[Callable[[Trainer], None]] = ()) -> None:
        """Train to the last epoch, or until the loss diverges.

        ``pause`` is called after every step; it may save `state`, and may raise to end the run. The ``listeners`` are
        called after every epoch.
        """
        if self.settings.epochs == 0:
            self._record_epoch(float("nan"))
        while self.epoch < self.settings.epochs and not self.diverged:
            loss = self._train_epoch(pause)
            self.epoch += 1
            ended = self.epoch == self.settings.epochs or self.diverged
            if ended or self.epoch % self.settings.evaluate_every == 0:
                self._record_epoch(loss)
            self.step = 0
            self._loss.zero_()
            self._generators.clear()
            for listener in listeners:
                listener(self)
            pause(self)

    def _train_epoch(self, pause: Callable[[Trainer], None]) -> float:
        """Do the rest of the current epoch and return its mean loss."""
        steps = self.method.batches(self.epoch)
        check_positions(self.method, steps)
        if self.step == 0:
            torch.manual_seed(self.context.streams.integer("model", self.epoch))
        self.model.train()
        while self.step < len(steps):
            with self.meter:
                self.train_step(steps[self.step], self.epoch + self.step / len(steps))
                self.step += 1
                if self.step == len(steps):
                    self.device.wait()
            if self.step < len(steps):
                pause(self)
        loss = float(self._loss) / max(1, len(steps))
        if (bad_step := int(self._first_bad)) >= 0 or not abs(loss) < EXPLODED:
            self.diverged = (self.offset + self.epoch, bad_step if bad_step >= 0 else len(steps) - 1)
        return loss

    def train_step(self, batch: Batch, progress: float) -> None:
        """Do one step, ``progress`` epochs after the start. Nothing in it waits for the device."""
        self.optimiser.lr = self.schedule(progress)
        with self.device.autocast():
            images = {name: self.context.load(part, self._generator(name)) for name, part in batch.items()}
            outputs = {name: Output(part_images, *self._forward(part_images)) for name, part_images in images.items()}
            loss = self.method.loss(outputs, batch, self.epoch)
        self.model.zero_grad()
        loss.backward()
        with torch.no_grad():
            self.method.after_backward(self.model)
            self.optimiser.step()
            self.method.after_step(self.model)
            self._loss += loss
            self._first_bad = torch.where(~loss.isfinite() & (self._first_bad < 0), self.step, self._first_bad)
        for name, part in batch.items():
            self.meter.count(len(part.index), *units_of(self.method, name), self.settings.batch_size)

    def _generator(self, name: str) -> torch.Generator:
        if name not in self._generators:
            stream = self.context.streams.generator(f"augment-{name}", self.epoch, self.device.device)
            self._generators[name] = stream
        return self._generators[name]

    def _record_epoch(self, loss: float) -> None:
        measured = None if self.diverged else self.evaluate()
        if measured is None:
            # The last step can spoil the weights though its own loss was still finite.
            self.diverged = self.diverged or (self.offset + self.epoch - 1, max(0, self.step - 1))
            measured = dict.fromkeys(METRICS, math.nan)
        row = {"stage": self.stage, "epoch": self.offset + self.epoch, "lr": self.optimiser.lr, "loss": loss}
        costs = {
            "pflops": self.meter.paper * self.forward_flops / 1e15,
            "pflops_executed": self.meter.executed * self.forward_flops / 1e15,
            "seconds": self.meter.seconds,
            "cpu_seconds": self.meter.cpu_seconds,
        }
        self.history.append(row | measured | costs)

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on, for a checkpoint."""
        return {key: getattr(self, key) for key in ("stage", *SAVED)} | {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "meter": asdict(self.meter),
            "generators": {name: generator.get_state() for name, generator in self._generators.items()},
            "model_generator": _model_generator(self.device).get_state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Resume from what `state` returned."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        for key in SAVED:
            setattr(self, key, state[key])
        self._loss, self._first_bad = (value.to(self.device.device) for value in (self._loss, self._first_bad))
        for name, value in state["meter"].items():
            setattr(self.meter, name, value)
        for name, generator_state in state["generators"].items():
            self._generator(name).set_state(generator_state)
        _model_generator(self.device).set_state(state["model_generator"])


def _model_generator(device: Device) -> torch.Generator:
    """Return the generator that layers such as dropout draw from."""
    if device.device.type == "cuda":
        return torch.cuda.default_generators[device.device.index or 0]
    return torch.default_generator
