"""Plugins on trial: a stand-in shows what a method or an audit lacks, before anything is trained."""

from __future__ import annotations

import contextlib
import inspect
import math
import reprlib
from collections.abc import Callable, Iterator
from numbers import Real
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.errors import BadInput, IncompletePlugin, fault_of
from benchmark.methods.base import Batch, Context, Method, Output, Part, Recipe, check_positions, prepare, units_of
from benchmark.names import MethodName
from benchmark.registry import METHODS, OWN_AUDITS, SOURCES
from benchmark.study.runs import Run
from benchmark.study.study import Study

if TYPE_CHECKING:
    import pandas as pd

# Of the stand-in: training images, those to forget, classes, the side of an image in pixels.
SAMPLES, FORGET, CLASSES, SIDE = 640, 64, 10, 32


def check_audits(study: Study) -> None:
    """Raise `BadInput` for an own audit that cannot be imported, gives no number, or that no table of samples suits.

    Each is tried on a made-up table: what it finds too few or too equal there may suit a real one.
    """
    for audit in study.audits:
        where = f"{study.file}: audits: audit {audit!r}"
        function = OWN_AUDITS.get(audit, f"{study.file}: audits")
        check_call(where, function, "samples")
        try:
            value = function(made_up_samples())
        except (AttributeError, KeyError, NameError, TypeError) as error:
            if isinstance(error, KeyError) and not _names_a_column(error):
                continue
            fault = fault_of(error, OWN_AUDITS.module(audit))
            raise BadInput(f"{where}, tried on a made-up table: {fault}") from None
        except Exception:
            continue
        try:
            if not math.isfinite(float(value)):  # which may be due to the table
                print(
                    f"warning: {where} returns {value} for a made-up table; for a run, only a finite number is accepted"
                )
        except (TypeError, ValueError):
            fault = f"it returns {reprlib.repr(value)}: accepted is a number"
            raise BadInput(f"{where}, tried on a made-up table: {fault}") from None


def _names_a_column(error: KeyError) -> bool:
    """Return whether what is missing is a column, and not a sample or class that the made-up table lacks."""
    missing = error.args[0]
    return isinstance(missing, str) and "[index]" not in missing and ("not in index" not in missing or "'" in missing)


def made_up_samples() -> pd.DataFrame:
    """Return a table like those that own audits get: `benchmark.training.batches.predict`, and ``membership``."""
    import pandas as pd

    rng, memberships = np.random.default_rng(0), np.repeat(["retain", "forget", "test"], FORGET)
    label, loss = rng.integers(CLASSES, size=len(memberships)), rng.exponential(size=len(memberships))
    split = np.where(memberships == "test", "test", "train")
    index = np.where(split == "test", np.arange(len(split)) - 2 * FORGET, np.arange(len(split)))
    prediction = np.where(loss < 1, label, (label + 1) % CLASSES)
    columns = {"index": index, "split": split, "label": label, "prediction": prediction}
    loss, margin = loss.astype(np.float32), -np.log(np.expm1(loss)).astype(np.float32)
    return pd.DataFrame(columns | {"loss": loss, "margin": margin, "membership": memberships})


def check_call(what: str, function: Any, *parameters: str) -> None:
    """Raise `IncompletePlugin` for what cannot be called with so many values."""
    accepted = f"accepted is a function of ({', '.join(parameters)})"
    if not callable(function):
        raise IncompletePlugin(f"{what} is {function!r}: {accepted}")
    try:
        signature = inspect.signature(function)
    except ValueError:  # as of some functions in C
        return
    try:
        signature.bind(*parameters)
    except TypeError:
        raise IncompletePlugin(f"{what} is {getattr(function, '__name__', function)}{signature}: {accepted}") from None


def check_plugins(study: Study) -> None:
    """Raise `BadInput` if a plugin's method lacks what its first step would miss, or its data source cannot be called.

    A method is tried on a stand-in, for which it was not made: an error there that may be the stand-in's is ignored.
    """
    runs = {MethodName.parse(run.name.method).base: run for run in study.runs()}
    for base, run in runs.items():
        if METHODS.code(base):
            where = f"{study.file}: plugins: {base!r}"
            with refusing(where, "made-up images", METHODS.module(base), _is_slip):
                first_steps(run, SAMPLES * study.hold_out // 100)
    for source in {settings.source for settings in study.datasets.values()}:
        if SOURCES.code(source):
            where = f"{study.file}: plugins: {source!r}"
            check_call(where, SOURCES.get(source, where), "name", "settings")


@contextlib.contextmanager
def refusing(where: str, images: str, module: str, is_fault: Callable[[Exception], bool]) -> Iterator[None]:
    """Raise `BadInput` for an `IncompletePlugin` and for what else is a fault of the code; ignore any other error."""
    try:
        yield
    except IncompletePlugin as error:
        raise BadInput(f"{where}: {error}") from None
    except Exception as error:
        if is_fault(error):
            raise BadInput(f"{where}, tried on {images}: {fault_of(error, module)}") from None


def _is_slip(error: Exception) -> bool:
    """Return whether an error is the code's own, whatever it is tried on: a misspelt name or a call of wrong arguments.

    What a model lacks, another architecture may have.
    """
    import torch

    if isinstance(error, AttributeError):
        return isinstance(error.obj, ModuleType | torch.Tensor | Method | Recipe | Context | Part | Output)
    calls = isinstance(error, TypeError) and ("positional argument" in str(error) or "keyword argument" in str(error))
    return calls or isinstance(error, NameError)


def first_steps(run: Run, held_out: int = 0) -> None:
    """Do the first step of a run's method on a stand-in of `SAMPLES` images, the last ``held_out`` of them held out.

    Raises `IncompletePlugin` for steps or a loss that no training could use, and whatever the method raises.
    """
    import torch

    from benchmark.workflow.cost import stand_in_context

    context = stand_in_context(FORGET, FORGET, SAMPLES, CLASSES, held_out)
    method, model = run.method(run.settings, context), context.fresh("stand-in")
    batches = _steps(method)
    with torch.no_grad():
        prepare(method, model)
    if not batches:  # like SSD, it trains nothing
        return
    generator, outputs = torch.Generator(), _Outputs()
    for name, part in batches[0].items():
        images = context.load(part, generator)
        outputs[name] = Output(images, *model(images))
    loss = method.loss(outputs, batches[0], 0)
    if not isinstance(loss, torch.Tensor) or loss.ndim:
        given = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else repr(loss)
        raise IncompletePlugin(f"method {type(method).__name__}: loss returns {given}: accepted is a scalar tensor")
    if not loss.requires_grad:
        accepted = "accepted is one that follows from a part's features or logits, and from weights that are not frozen"
        raise IncompletePlugin(f"method {type(method).__name__}: loss returns a tensor without a gradient: {accepted}")


def _steps(method: Method) -> list[Batch]:
    """Return the steps of the first epoch; raise `IncompletePlugin` for what is no step, or a cost that is none."""
    import torch

    steps, where = method.batches(0), f"method {type(method).__name__}"
    if not isinstance(steps, list) or not all(isinstance(step, dict) and step for step in steps):
        accepted = "accepted is a list of steps, each a mapping from the names of its parts to them"
        raise IncompletePlugin(f"{where}: batches returns {reprlib.repr(steps)}: {accepted}")
    for name, part in (item for step in steps for item in step.items()):
        if (
            not isinstance(part, Part)
            or not all(isinstance(values, torch.Tensor) for values in (part.index, part.label))
            or not part.index.shape == part.label.shape == (len(part.index),)
        ):
            accepted = "accepted is a benchmark.methods.base.Part of two tensors, with as many labels as positions"
            raise IncompletePlugin(f"{where}: batches gives the part {name!r} as {reprlib.repr(part)}: {accepted}")
        for units in units_of(method, name):
            if not isinstance(units, Real) or not 0 <= units < math.inf:
                accepted = "accepted is a number of forward passes, at least 0"
                raise IncompletePlugin(f"{where}: an image of the part {name!r} costs {units!r}: {accepted}")
    check_positions(method, steps)
    return steps


class _Outputs(dict[str, Output]):
    """The outputs of a step's parts; raises `IncompletePlugin` for a part that the step lacks."""

    def __missing__(self, part: str) -> Output:
        raise IncompletePlugin(f"loss uses the outputs of {part!r}: accepted is a part of its step, {', '.join(self)}")
