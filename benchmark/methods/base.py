"""The contract of a method: how it differs from plain training on the retain data.

The training loop loads the images, runs every forward pass and steps the optimiser. A method says which samples make a
step, what their loss is, and what happens to gradients and weights around it. Method files take ``torch`` from here,
where it is imported on first use: naming a method and reading its settings do without.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from benchmark.errors import BadInput, IncompletePlugin
from benchmark.settings import Scale, Strict, range_fault

if TYPE_CHECKING:
    import torch

    from benchmark.seeds import Streams
else:

    class _ImportedOnUse:
        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module("torch"), name)

    torch = _ImportedOnUse()

Range = tuple[float, float]
Schedule = Literal["cosine", "steps", "one-cycle"]


def setting(
    default: Any,
    doc: str,
    paper: Range | None = None,
    search: Range | None = None,
    scale: Scale = "linear",
    added: bool = False,
    **bounds: Any,
) -> Any:
    """Declare a hyperparameter by its default, a line of documentation, and pydantic's bounds.

    Raises `BadInput` for a range that cannot be searched.

    Parameters
    ----------
    paper : the range that the paper searched; only settings with one are tuned.
    search : the range that tuning searches, if another.
    scale : how tuning spreads its candidates: over the range, over its orders of magnitude, or over those of 1 - x.
    added : whether the method had results before it had this setting: fingerprints then omit it at its default.
    """
    extra: dict[str, Any] = {"added": True} if added else {}
    if paper:
        low, high = search or paper
        if fault := range_fault(low, high, scale):
            raise BadInput(f"setting {doc!r}: {'search' if search else 'paper'}: {fault}")
        extra |= {"paper_range": list(paper), "search": {"low": low, "high": high, "scale": scale}}
    return Field(default, description=doc, json_schema_extra=extra or None, **bounds)


class Recipe(Strict):
    """What every unlearning run has: the paper's 50 epochs of SGD under a cosine (Section 5)."""

    epochs: int = setting(50, "passes over the retain set", ge=0, le=1_000_000)
    batch_size: int = setting(256, "images per step; the last batch of an epoch may be smaller", ge=2)
    lr: float = setting(0.05, "peak learning rate", paper=(0.01, 0.1), search=(0.001, 0.4), scale="log", gt=0)
    schedule: Schedule = setting(
        "cosine",
        "`cosine` falls to final_lr over the epochs; `steps` falls tenfold at 50 % and at 75 % of them; `one-cycle` "
        "rises from lr / 25 over the first 30 % and falls to final_lr over the rest",
    )
    final_lr: float = setting(1e-4, "learning rate at the end, but for `steps`", ge=0)
    warmup: int = setting(0, "epochs in which the learning rate first rises linearly from 0", ge=0)
    momentum: float = setting(0.9, "SGD's momentum", ge=0, lt=1)
    weight_decay: float = setting(5e-4, "SGD's weight decay, for all parameters", ge=0)
    evaluate_every: int = setting(1, "evaluate every so many epochs, and after the last", ge=1)

    @model_validator(mode="after")
    def _check_final_lr(self) -> Recipe:
        if self.schedule != "steps" and self.final_lr > self.lr:
            raise ValueError(f"final_lr is {self.final_lr}, lr {self.lr}: accepted is a final_lr of at most lr")
        return self


class TrainingRecipe(Recipe):
    """What Original and Retrain have: the paper's 182 epochs with two steps of the learning rate (Section 5)."""

    epochs: int = setting(182, "passes over the training data", ge=1, le=1_000_000)
    lr: float = setting(0.1, "peak learning rate", gt=0)
    schedule: Schedule = setting("steps", "the learning rate's schedule, as for unlearning")
    evaluate_every: int = setting(1000, "evaluate every so many epochs, and after the last", ge=1)


# Names that stand for several methods in a study: all that train from scratch, all that start from Original.
GROUPS: dict[str, type[Recipe]] = {"training": TrainingRecipe, "unlearning": Recipe}


@dataclass(frozen=True)
class Part:
    """Samples that go through the model together, in one forward pass in training mode.

    Attributes
    ----------
    index : (B,) positions in the training set.
    label : (B,) the classes that the method takes them to have.
    transform : the letters of the augmentation, such as ``"CHN"``.
    """

    index: torch.Tensor
    label: torch.Tensor
    transform: str = "CHN"


class Output(NamedTuple):
    """A part's augmented images (B, C, H, W), and the model's features (B, D) and logits (B, K)."""

    images: torch.Tensor
    features: torch.Tensor
    logits: torch.Tensor

    def cross_entropy(self, label: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy against ``label`` (B,), computed in float32: a scalar."""
        # torch's own differs in the last bit, and recorded losses must not change.
        return -self.logits.float().log_softmax(1).gather(1, label[:, None]).mean()

    def kl_from(self, teacher: torch.Tensor) -> torch.Tensor:
        """Return the mean KL(teacher || this) at temperature 1, of ``teacher`` logits (B, K), in float32: a scalar."""
        log_p, log_q = teacher.float().log_softmax(1), self.logits.float().log_softmax(1)
        return (log_p.exp() * (log_p - log_q)).sum(1).mean()


def units_of(method: Method, part: str) -> tuple[float, float]:
    """Return the forward passes that one image of a part costs, by the paper's counting and as executed.

    Raises `IncompletePlugin` if the method does not say.
    """
    for counting in ("paper_units", "executed_units"):
        if part not in getattr(method, counting):
            where = f"method {type(method).__name__}: {counting} has no entry for the part {part!r} of its steps"
            accepted = "the number of forward passes that an image of it costs, such as 3 if it is trained on"
            raise IncompletePlugin(f"{where}: accepted is {accepted}")
    return method.paper_units[part], method.executed_units[part]


def prepare(method: Method, model: torch.nn.Module) -> None:
    """Have a method prepare ``model``; raise `IncompletePlugin` if it needs gradients, or returns another model."""
    where = f"method {type(method).__name__}: prepare"
    try:
        given: object = method.prepare(model)  # type: ignore[func-returns-value]
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
        raise IncompletePlugin(f"{where} runs without gradients: accepted is self.gradients(...)") from error
    if given is not None and given is not model:
        accepted = "accepted is None: a method changes the model that it is given"
        raise IncompletePlugin(f"{where} returns a {type(given).__name__}: {accepted}")


def check_positions(method: Method, steps: list[Batch]) -> None:
    """Raise `IncompletePlugin` if an epoch's steps have images that are held out, or that an earlier stage removed."""
    positions = torch.cat([method.context.retain[:0], *(part.index for step in steps for part in step.values())])
    present = torch.zeros_like(method.context.labels, dtype=torch.bool)
    present[method.context.present] = True
    beyond = (positions < 0) | (positions >= len(present))
    if len(absent := positions[beyond | ~present[positions.masked_fill(beyond, 0)]]):
        accepted = "accepted are those of context.present, without images that are held out or were removed before"
        raise IncompletePlugin(f"method {type(method).__name__}: batches gives position {int(absent[0])}: {accepted}")


def cosine_similarity(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the cosine of every row of (N, D) with every row of (M, D), computed in float32: (N, M)."""
    with torch.autocast(first.device.type, enabled=False):  # it would compute the product in bfloat16
        return torch.nn.functional.normalize(first.float()) @ torch.nn.functional.normalize(second.float()).T


Batch = dict[str, Part]


@dataclass
class Meter:
    """The cost of training: computation in units of one image's forward pass, and the time inside ``with meter:``.

    ``paper`` counts as the paper's cost column does: whole batches, and only the passes it names. ``executed``
    counts what ran: every image, a forward pass as 1 unit and a backward pass as 2.
    """

    paper: float = 0.0
    executed: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._started[0]
        self.cpu_seconds += time.process_time() - self._started[1]

    def count(self, images: int, paper: float, executed: float, batch_size: int | None = None) -> None:
        """Add a pass of ``images`` images at so many units each; ``paper`` is charged for ``batch_size``, if given."""
        # Numbers of Python, since a checkpoint can hold no others: a plugin may count with NumPy's.
        self.paper += float(paper * (batch_size or images))
        self.executed += float(executed * images)


@dataclass
class Context:
    """What a method can see.

    Attributes
    ----------
    labels : (N,) true classes of the training set, on the device.
    retain, forget : (M,) positions in the training set, in dataset order, on the device.
    classes : how many there are.
    streams : named random streams; a method draws from no other source.
    load : ``load(part, generator) -> images`` (B, C, H, W), augmented.
    fresh : ``fresh(purpose) -> model`` of the run's architecture, newly initialised from the stream of that name.
    meter : the run's cost so far; a method adds the passes that it makes outside the loop.
    """

    labels: torch.Tensor
    retain: torch.Tensor
    forget: torch.Tensor
    classes: int
    streams: Streams
    load: Callable[[Part, torch.Generator], torch.Tensor]
    fresh: Callable[[str], torch.nn.Module]
    meter: Meter = field(default_factory=Meter)

    @property
    def present(self) -> torch.Tensor:
        """Positions of the retain and forget data together, in dataset order: no others may be trained on."""
        return torch.cat([self.retain, self.forget]).sort().values


class Method:
    """Plain training on the retain data, the base of every method.

    Class attributes
    ----------------
    Settings : the hyperparameters.
    version : raise it when the method's results change; runs of another version are run again.
    starts_from_original : whether training starts from Original's weights.
    contrastive : whether ``+cl`` may be added: its steps must hold a part called ``retain``.
    paper_units, executed_units : forward passes that one image of a part costs, by either counting.
    """

    Settings: ClassVar[type[Recipe]] = Recipe
    version: ClassVar[int | str] = 1
    starts_from_original: ClassVar[bool] = True
    contrastive: ClassVar[bool] = False
    paper_units: ClassVar[dict[str, float]] = {"retain": 3}
    executed_units: ClassVar[dict[str, float]] = {"retain": 3}

    def __init__(self, settings: Any, context: Context):
        self.settings, self.context = settings, context

    def prepare(self, model: torch.nn.Module) -> None:
        """Change the starting weights, or look at them, before the first step, without gradient tracking.

        A resumed run calls this again, on a fresh copy, and then loads the checkpoint.
        """

    def batches(self, epoch: int) -> list[Batch]:
        """Return the epoch's steps in order; the same epoch gives the same steps on every call."""
        return [{"retain": part} for part in self.parts("retain", epoch)]

    def loss(self, outputs: dict[str, Output], batch: Batch, epoch: int) -> torch.Tensor:
        """Return a step's scalar loss. ``outputs`` has an entry for each part of ``batch``."""
        return outputs["retain"].cross_entropy(batch["retain"].label)

    def after_backward(self, model: torch.nn.Module) -> None:
        """Change gradients before the optimiser's step."""

    def after_step(self, model: torch.nn.Module) -> None:
        """Change weights after the optimiser's step."""

    def parts(self, name: str, epoch: int, label: torch.Tensor | None = None) -> list[Part]:
        """Cut the shuffled ``retain`` or ``forget`` data into an epoch's parts; the last may be smaller.

        ``label``, (N,) labels of the whole training set, replaces the true ones.
        """
        samples = getattr(self.context, name)
        order = self.context.streams.permutation(len(samples), f"order-{name}", epoch).to(samples.device)
        label = self.context.labels if label is None else label
        return [Part(index, label[index]) for index in samples[order].split(self.settings.batch_size)]

    def gradients(self, model: torch.nn.Module, part: Part, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Return the gradient of a part's mean cross-entropy in evaluation mode by parameter: 0 for frozen ones."""
        model.eval()
        images, weights = self.context.load(part, generator), list(model.parameters())
        with torch.enable_grad():
            loss = Output(images, *model(images)).cross_entropy(part.label)
            found = iter(torch.autograd.grad(loss, [w for w in weights if w.requires_grad], materialize_grads=True))
        return tuple(next(found) if weight.requires_grad else torch.zeros_like(weight) for weight in weights)
