"""The typed form of a study file. A key or value that these models do not know is refused, with its place named."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from benchmark.errors import BadInput
from benchmark.names import LONGEST, Cell, MethodName
from benchmark.registry import COLOUR

Positive = Annotated[int, Field(ge=1)]
Colour = Annotated[str, Field(pattern=f"^{COLOUR}$")]
LARGEST = 10**15  # of a whole number
UNKNOWN_KEY = "unknown_key"  # the type of that error
UpTo1000 = Annotated[int, Field(ge=1, le=1000)]  # a slip of the finger is not to plan a million runs


def once(what: str, read: Callable[[str], object] = str) -> AfterValidator:
    """Return the check that each text of a list can be read, and is listed once; it is then written as it was read."""

    def check(texts: list[str]) -> list[str]:
        """Return the names as they are written; raise `ValueError`, which is reported with its file and key."""
        try:
            names = [str(read(text)) for text in texts]
        except BadInput as error:
            raise ValueError(str(error)) from None
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{what} {name!r} is listed twice")
        return names

    return AfterValidator(check)


def leaves(value: Any) -> list[Any]:
    """Return the single values that lists and mappings hold, in order."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [leaf for one in inner for leaf in leaves(one)]


class Strict(BaseModel):
    """A model that refuses keys it does not know and is never changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        """Refuse an unknown key before a missing one: it may be that one, misspelt."""
        accepted = [field.alias or name for name, field in cls.model_fields.items()]
        for key in data if isinstance(data, dict) else ():
            if key not in accepted:
                raise PydanticCustomError(UNKNOWN_KEY, "unknown key", {"key": key, "accepted": accepted})
        for name, field in cls.model_fields.items() if isinstance(data, dict) else ():
            value, kinds = data.get(field.alias or name), str(field.annotation)
            if re.search(r"\b(int|float)\b", kinds) and "bool" not in kinds:
                for one in leaves(value):
                    if isinstance(one, bool) or (isinstance(one, int) and abs(one) > LARGEST):
                        raise ValueError(f"{field.alias or name}: {one}: accepted are numbers, whole ones to {LARGEST}")
        return data


class Augmentation(Strict):
    """Training-time transformation of one dataset: crop, flip and normalisation, in the paper's order C, H, N."""

    padding: Annotated[int, Field(ge=0, le=32)] = Field(
        4, description="C: pixels of zero padding on each side, before a random crop to the image's size"
    )
    flip: bool = Field(True, description="H: whether images are mirrored at random, with probability 1/2")
    mean: list[float] = Field(
        [0.4914, 0.4822, 0.4465],
        description="N: the mean that is subtracted, one number per channel, for pixels from 0 to 1",
    )
    std: list[float] = Field(
        [0.2023, 0.1994, 0.2010], description="N: the standard deviation to divide by, one number per channel"
    )

    @model_validator(mode="after")
    def _same_channels(self) -> Augmentation:
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3):
            raise ValueError(f"mean has {len(self.mean)} numbers and std {len(self.std)}: both need 1, or both 3")
        if any(value <= 0 for value in self.std):
            raise ValueError(f"std is {self.std}: accepted are numbers above 0")
        return self


class DatasetSettings(Strict):
    """Where a dataset's images come from and how they are presented to a model."""

    source: str = Field(description="the data source that reads the images")
    path: str | None = Field(None, description="the folder with the files, for sources that read files")
    train: str = Field("train-*.parquet", description="parquet: the training files, as a pattern below `path`")
    test: str = Field("test-*.parquet", description="parquet: the test files, as a pattern below `path`")
    checksum: Annotated[str, Field(pattern="^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")] | None = Field(
        None,
        description="official: the checksum, `md5:...` or `sha256:...`, of an archive other than the published one, as "
        "of a mirror. You vouch for the file, and every result says so",
    )
    image_column: str | None = Field(
        None, description="parquet: the column with the encoded images; by default `img` or `image`"
    )
    label_column: str | None = Field(
        None,
        description="parquet: the column with the labels, integers or text; by default `label` or `fine_label`",
    )
    classes: Annotated[list[str], once("class")] | None = Field(
        None,
        description="the names of the classes, in the order of the labels; by default the source's. Text labels are "
        "numbered in this order, by default alphabetically",
    )
    subset: Positive | None = Field(
        None, description="how many training images to keep, the same share of every class; by default all"
    )
    test_subset: Positive | None = Field(None, description="how many test images to keep; by default all")
    order: Literal["source", "content"] = Field(
        "source",
        description="the order of the images before a subset is drawn: the source's, or by a digest of each image, so "
        "that the same images give the same arrays from any source",
    )
    subset_seed: Annotated[int, Field(ge=0)] = Field(
        0, description="the seed of the subset, independent of the study's seed, so that studies share one copy"
    )
    size: Annotated[int, Field(ge=4, le=1024)] | None = Field(
        None, description="the side to resize images to, in pixels; needed only if their sizes differ"
    )
    augmentation: Augmentation = Augmentation()


class SequentialSettings(Strict):
    """What a stage of a sequential scenario takes over from the one before; the method itself always starts afresh."""

    schedule: Literal["restart", "continue"] = Field(
        "restart", description="whether the learning rate starts again at every stage, or decays once over all stages"
    )
    forget: Literal["new", "all"] = Field(
        "new", description="whether the forget data of a stage is what it removes, or all that was removed so far"
    )


class TuneSettings(Strict):
    """How ``tune`` searches the hyperparameters of every method that a table of gaps shows, in that table's cells."""

    budget: Positive = Field(8, description="candidates per method and cell, including those stopped early")
    seed: Annotated[int, Field(ge=0)] = Field(
        1_000_003, description="the seed of all tuning runs; it differs from the study's"
    )
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
    startup: Positive = Field(3, description="candidates per method and cell before one can be stopped early")
    warmup: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="share of the epochs before a candidate can be stopped"
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


class StudyForm(Strict):
    """The typed form of ``config/<study>.yaml``."""

    description: str = Field("", description="one sentence about the study")
    seed: int = Field(0, ge=0, description="the seed of all random numbers")
    trials: UpTo1000 = Field(
        3, description="runs per method and cell; they differ in seed and in what `resample` names"
    )
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
        "auto", description="`auto` is bfloat16 if the hardware supports it; recorded with every result"
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
        {},
        description="pattern over dataset/arch/scenario -> method, `training` or `unlearning` -> settings",
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
        [], description="modules or .py files with methods, architectures or data sources of your own"
    )
    scored: dict[str, str] = Field(
        {},
        description="name -> predictions made elsewhere, as a method of that name: a parquet file a trial, such as "
        "`theirs/{scenario}/trial-{trial}.parquet`; docs/extending.md says what it holds",
    )
    labels: dict[str, str] = Field({}, description="method, dataset or architecture -> its name in tables and figures")
    colours: dict[str, Colour] = Field({}, description="method -> its colour in figures, `#RRGGBB`")
    only: Annotated[list[str], once("output")] | None = Field(
        None, description="the tables and figures to keep, own and inherited; by default all"
    )
    tables: dict[str, OutputSettings] = Field({}, description="name -> a table; `snakemake NAME` makes it")
    figures: dict[str, OutputSettings] = Field({}, description="name -> a figure; `snakemake NAME` makes it")

    _name: str = PrivateAttr()

    @property
    def name(self) -> str:
        """The study's name: its file's, without the suffix."""
        return self._name

    @field_validator("datasets", "tables", "figures")
    @classmethod
    def _plain_names(cls, named: dict[str, Any]) -> dict[str, Any]:
        for name in named:
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or len(name) > LONGEST:
                accepted = f"lower-case words and digits joined by '-', at most {LONGEST} characters"
                raise ValueError(f"{name!r}: a name is {accepted}")
        return named
