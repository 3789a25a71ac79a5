"""The typed form of a study file. Unknown keys and values are refused, with their place named."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr, WithJsonSchema, field_validator

from benchmark import paths
from benchmark.names import LONGEST, Cell, MethodName
from benchmark.registry import COLOUR, LABEL, WORD, is_label
from benchmark.settings import DatasetSettings, Positive, Strict, Trials, UpTo1000, once


def _label(text: str) -> str:
    """Return a label; raise `ValueError`, which is reported with its file and key, if no table could print it."""
    if not is_label(text):
        raise ValueError(f"accepted is {LABEL}")
    return text


def _colour(text: str) -> str:
    """Return a colour; raise `ValueError`, as `_label` does, if it is none."""
    if not re.fullmatch(COLOUR, text):
        raise ValueError("accepted is '#RRGGBB', such as '#AA4499'")
    return text


Colour = Annotated[str, AfterValidator(_colour), WithJsonSchema({"type": "string", "pattern": f"^{COLOUR}$"})]
Label = Annotated[str, AfterValidator(_label)]


class SequentialSettings(Strict):
    """What a stage of a sequential scenario takes over from the one before; the method itself always starts afresh."""

    schedule: Literal["restart", "continue"] = Field(
        "restart", description="whether the learning rate starts again at every stage, or decays once over all stages"
    )
    forget: Literal["new", "all"] = Field(
        "new", description="whether the forget data of a stage is what it removes, or all that was removed so far"
    )


class RelearningSettings(Strict):
    """How a model is trained again on all training images, to see how soon what it forgot comes back."""

    steps: UpTo1000 = Field(100, description="steps of training")
    every: UpTo1000 = Field(10, description="steps between two evaluations of the forgotten images")
    batch_size: int = Field(64, ge=2, description="images a step, retained and forgotten alike")
    lr: float = Field(
        0.01, gt=0, description="the learning rate, constant; momentum and weight decay are methods' defaults"
    )


class TuneSettings(Strict):
    """How ``tune`` searches the hyperparameters of every method that a table of gaps shows, in that table's cells."""

    budget: Positive = Field(8, description="candidates per method and cell")
    seed: int = Field(1_000_003, ge=0, description="the seed of all tuning runs; it differs from the study's")
    hold_out: Annotated[int, Field(ge=0, le=50)] = Field(
        10,
        description="per cent of the training images to hold out from tuning runs, to choose candidates by; with 0 "
        "they are chosen by the test images, which is an oracle",
    )
    utility: Annotated[float, Field(ge=0, le=100)] = Field(
        2.0,
        description="how far a candidate's accuracy on unseen images may fall below Retrain's, in points; each further "
        "point counts as a point of average gap",
    )
    ranges: dict[str, dict[str, tuple[float, float]]] = Field(
        {},
        description="method, or `*` for all -> setting -> the lowest and highest value to try, in place of the "
        "method's own range",
    )
    rates: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        [2.0, 0.5, 4.0],
        description="multiples of the study's own learning rate that every method tries after the study's own values, "
        "its other settings unchanged",
    )
    hyperparameters: dict[str, dict[str, dict[str, Any]]] = Field(
        {}, description="settings for tuning runs, on top of the study's: fewer epochs, less frequent evaluation"
    )
    reuse: dict[str, str] = Field(
        {}, description="scenario -> the tuned scenario of the same dataset and architecture to take values from"
    )


class OutputSettings(Strict):
    """One table or figure: what it is, and the cells, methods and classes that it shows."""

    kind: str = Field(description="the kind of table or figure; config/schema.json lists them")
    caption: str = Field("", description="the caption; facts such as the number of trials are added to it")
    cells: Annotated[list[str], once("cell", Cell.parse)] = Field(
        [], description="dataset/architecture/scenario, in the order shown"
    )
    methods: Annotated[list[str], once("method", MethodName.parse)] = Field(
        [], description="methods, in the order shown; Retrain is always added"
    )
    classes: Annotated[list[str], once("class")] = Field(
        [], description="classes; the first is the one whose samples are forgotten"
    )
    trials: Positive | None = Field(None, description="how many of the study's trials to use; by default all")
    studies: Annotated[list[str], once("study")] = Field(
        [], description="scale: the studies whose gathered results stand side by side, in the order shown"
    )
    show: Literal["all", "forget"] = Field("all", description="maps: which samples to draw")

    @property
    def parsed_cells(self) -> list[Cell]:
        """The cells in their parts, in the order shown."""
        return [Cell.parse(cell) for cell in self.cells]


class StudyForm(Strict):
    """The typed form of ``config/<study>.yaml``."""

    description: str = Field("", description="one sentence about the study")
    seed: int = Field(0, ge=0, description="the seed of all random numbers")
    trials: Trials = Field(3, description="runs per method and cell; they differ in seed and in what `resample` names")
    resample: Annotated[list[Literal["original", "split"]], once("resample")] = Field(
        [],
        description="what is drawn again for each trial, besides the unlearning run: Original's training, the forget "
        "split",
    )
    hold_out: Annotated[int, Field(ge=0, le=90)] = Field(
        0,
        description="per cent of the training images to hold out from all runs of a trial, Original included, for "
        "audits that compare forgotten images with images never seen",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="`auto` is bfloat16 if it is fast on the hardware; recorded with every result"
    )
    report_epoch: Literal["last", "best"] = Field(
        "last",
        description="the epoch that tables show; `best` minimises the mean average gap, which needs Retrain: an oracle",
    )
    margin: Annotated[float, Field(gt=0)] = Field(
        1.0,
        description="points within which two numbers count as equal. Beside the paper's numbers: whether the 95 % "
        "interval of the difference lies within them. In claims of equality: added to the noise (in Table 4 per cent)",
    )
    keep_twins: bool = Field(
        False,
        description="forget exact copies of a forgotten training image with it, so that none is retained; a split is "
        "larger by them. Where a class is forgotten, copies in other classes stay",
    )
    members: Literal["first", "random"] = Field(
        "first",
        description="the retain samples that the MIA uses as members: the first in dataset order, or a random draw",
    )
    map_samples: Positive = Field(5000, description="random training samples in a map")
    view_pairs: UpTo1000 = Field(
        8, description="pairs of augmented views of each of these samples, for outputs of kind `theory`"
    )
    threads: UpTo1000 = Field(1, description="processor threads per job; recorded with every result")
    sequential: SequentialSettings = SequentialSettings()
    relearning: RelearningSettings = RelearningSettings()
    memorisation: dict[str, str] = Field(
        {},
        description="dataset -> the scores for the scenarios `memorised-<percent>` and `typical-<percent>`: a file "
        "that `python -m benchmark memorisation` wrote",
    )
    lists: dict[str, str] = Field(
        {},
        description="name -> the training images that the scenario `listed-<name>` forgets: a file with their indices "
        "in the prepared dataset, from 0, one per line",
    )
    datasets: dict[str, DatasetSettings] = Field(description="name -> a dataset")
    hyperparameters: dict[str, dict[str, dict[str, Any]]] = Field(
        {}, description="pattern over dataset/arch/scenario -> method, `training` or `unlearning` -> settings"
    )
    tuned: str | None = Field(
        None,
        description="lay the values that `tune` found for a study, config/tuned/<name>.yaml, over `hyperparameters`",
    )
    tune: TuneSettings = TuneSettings()
    one_code: bool = Field(
        False,
        description="refuse to show together runs that different code made; without it a table says so in its caption",
    )
    published: bool = Field(False, description="never replace the committed results by different ones, unless told to")
    plugins: list[str] = Field(
        [], description="modules or .py files with methods, architectures, data sources or audits of your own"
    )
    audits: Annotated[list[str], once("audit")] = Field(
        [], description="audits of your own, which plugins register: tables and figures of audits show them beside ours"
    )
    scored: dict[str, str] = Field(
        {},
        description="name -> predictions made elsewhere, as a method of that name: a parquet file a trial, such as "
        "`theirs/{scenario}/trial-{trial}.parquet`; docs/extending.md says what it holds",
    )
    labels: dict[str, Label] = Field(
        {}, description="method, dataset or architecture -> its name in tables and figures"
    )
    colours: dict[str, Colour] = Field({}, description="method -> its colour in figures, `#RRGGBB`")
    only: Annotated[list[str], once("output")] | None = Field(
        None, description="the tables and figures to keep, own and inherited; by default all"
    )
    tables: dict[str, OutputSettings] = Field({}, description="name -> a table; `snakemake NAME` makes it")
    figures: dict[str, OutputSettings] = Field({}, description="name -> a figure; `snakemake NAME` makes it")

    _name: str = PrivateAttr()

    @property
    def name(self) -> str:
        """The study's name: that of its file, without the suffix."""
        return self._name

    @property
    def file(self) -> str:
        """The study's file, with which every message about it begins."""
        return str(paths.study_file(self._name))

    @field_validator("datasets", "tables", "figures")
    @classmethod
    def _plain_names(cls, entries: dict[str, Any]) -> dict[str, Any]:
        for name in entries:
            if not re.fullmatch(WORD, name) or len(name) > LONGEST:
                accepted = f"lower-case words and digits joined by '-', at most {LONGEST} characters"
                raise ValueError(f"{name!r}: a name is {accepted}")
        return entries
