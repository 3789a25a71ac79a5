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
                for one in value if isinstance(value, list) else [value]:
                    if isinstance(one, bool) or (isinstance(one, int) and abs(one) > LARGEST):
                        raise ValueError(f"{field.alias or name}: {one}: accepted are numbers, whole ones to {LARGEST}")
        return data


class Augmentation(Strict):
    """Training-time transformation of one dataset: crop, flip and normalisation, in the paper's order C, H, N."""

    padding: Annotated[int, Field(ge=0, le=32)] = Field(
        4, description="C: pixels of zero padding on every side before a random crop back to the image's size"
    )
    flip: bool = Field(True, description="H: mirror left to right with probability 1/2")
    mean: list[float] = Field(
        [0.4914, 0.4822, 0.4465], description="N: what is subtracted, one number a channel, on a scale of 0 to 1"
    )
    std: list[float] = Field(
        [0.2023, 0.1994, 0.2010], description="N: what the result is divided by, one number a channel"
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

    source: str = Field(description="which reader brings the images: a registered data source")
    path: str | None = Field(None, description="folder that holds the files, for sources that read files")
    train: str = Field("train-*.parquet", description="parquet: the training shards, a pattern below `path`")
    test: str = Field("test-*.parquet", description="parquet: the test shards, a pattern below `path`")
    checksum: Annotated[str, Field(pattern="^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")] | None = Field(
        None,
        description="official: the checksum of an archive that is not the published one, such as a mirror's, as "
        "`md5:...` or `sha256:...`; whoever gives it vouches for the file, and every result says so",
    )
    image_column: str | None = Field(
        None, description="parquet: the column of the images, encoded; `img` or `image` unless given"
    )
    label_column: str | None = Field(
        None,
        description="parquet: the column of the labels, whole numbers or texts; `label` or `fine_label` unless given",
    )
    classes: Annotated[list[str], once("class")] | None = Field(
        None,
        description="names of the classes, in the order of the labels; unless given, what the source says. Labels that "
        "are texts are numbered in this order, or in alphabetical order",
    )
    subset: Positive | None = Field(
        None, description="how many training images are kept, chosen evenly over the classes; all unless given"
    )
    test_subset: Positive | None = Field(None, description="the same for test images")
    order: Literal["source", "content"] = Field(
        "source",
        description="how images are ordered before a subset is drawn: as the source has them, or by a digest of each "
        "image, which makes the arrays the same whichever source the same images come from",
    )
    subset_seed: Annotated[int, Field(ge=0)] = Field(
        0, description="which subset is drawn: independent of the study's seed, so that studies share one copy"
    )
    size: Annotated[int, Field(ge=4, le=1024)] | None = Field(
        None, description="side in pixels that images are resized to; needed only where their sizes differ"
    )
    augmentation: Augmentation = Augmentation()


class SequentialSettings(Strict):
    """What a stage of a sequential scenario takes over from the one before; the method itself always starts afresh."""

    schedule: Literal["restart", "continue"] = Field(
        "restart", description="whether the learning rate starts again at every stage, or falls once over all of them"
    )
    forget: Literal["new", "all"] = Field(
        "new", description="whether a method's forget data is what this stage removes, or all that is gone so far"
    )


class TuneSettings(Strict):
    """How ``tune`` searches the hyperparameters of every method that a table of gaps shows, in that table's cells."""

    budget: Positive = Field(8, description="candidates of every method in every cell, those given up early included")
    seed: Annotated[int, Field(ge=0)] = Field(
        1_000_003, description="root of the random numbers of all that is trained for tuning; not the study's own"
    )
    hold_out: Annotated[int, Field(ge=0, le=50)] = Field(
        10,
        description="per cent of the training images that nothing in a tuning is trained on, and by which candidates "
        "are chosen; with 0 they are chosen by the test images, which is an oracle's choice",
    )
    utility: Annotated[float, Field(ge=0, le=100)] = Field(
        2.0,
        description="points by which a candidate's accuracy on images it never saw may lie below Retrain's; each "
        "further point counts as a point of average gap",
    )
    ranges: dict[str, dict[str, tuple[float, float]]] = Field(
        {},
        description="method, or `*` for all -> setting -> lowest and highest value that is tried, where it is to be "
        "another range than the method's own",
    )
    startup: Positive = Field(3, description="candidates of a method and cell before one may be given up early")
    warmup: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="share of the epochs before which no candidate is given up"
    )
    hyperparameters: dict[str, dict[str, dict[str, Any]]] = Field(
        {}, description="laid over the study's own while tuning: fewer epochs, rarer evaluation"
    )
    reuse: dict[str, str] = Field(
        {}, description="scenario -> the tuned scenario of the same dataset and architecture whose values it takes"
    )


class OutputSettings(Strict):
    """One table or figure: what it is, and the cells, methods and classes that it shows."""

    kind: str = Field(description="what is drawn; config/schema.json lists the kinds")
    caption: str = Field("", description="what the caption says before the generated facts")
    cells: Annotated[list[str], once("cell", Cell.parse)] = Field(
        [], description="dataset/arch/scenario, in the order shown"
    )
    methods: Annotated[list[str], once("method", MethodName.parse)] = Field(
        [], description="method names, in the order shown; Retrain is added as reference"
    )
    classes: Annotated[list[str], once("class")] = Field(
        [], description="class names, the first being the one whose samples are forgotten"
    )
    trials: Positive | None = Field(None, description="how many of the study's trials are used; all unless given")
    show: Literal["all", "forget"] = Field("all", description="maps: which samples are drawn")


class StudyForm(Strict):
    """The typed form of ``config/<study>.yaml``."""

    description: str = Field("", description="what the study is for, in a sentence")
    seed: int = Field(0, ge=0, description="root of every random number")
    trials: UpTo1000 = Field(3, description="runs of every cell; they differ in seed and in what `resample` names")
    resample: Annotated[list[Literal["original", "split"]], once("resample")] = Field(
        [], description="what is drawn anew per trial beside the unlearning run: Original's training, the forget split"
    )
    hold_out: Annotated[int, Field(ge=0, le=90)] = Field(
        0,
        description="per cent of the training images that no run of a trial is trained on, Original included: "
        "for audits that compare forgotten images with images never seen",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="`auto` is bfloat16 where the hardware has it; recorded with every result"
    )
    report_epoch: Literal["last", "best"] = Field(
        "last", description="which epoch tables show; `best` minimises the mean average gap, so it looks at Retrain"
    )
    margin: Annotated[float, Field(gt=0)] = Field(
        1.0,
        description="points within which a number counts as the paper's own: the tables beside the paper's numbers say "
        "where the 95 % interval of the difference lies within them",
    )
    keep_twins: bool = Field(
        False,
        description="forget exact copies of a forgotten training image with it, so that none is retained; a split is "
        "larger by them. Where a class is forgotten, copies in other classes stay",
    )
    members: Literal["first", "random"] = Field(
        "first", description="which retain samples the MIA takes as members: the first in dataset order, or a draw"
    )
    map_samples: Positive = Field(5000, description="training samples in a representation map, drawn at random")
    view_pairs: UpTo1000 = Field(
        8, description="pairs of augmented views of each of these samples that the kinds `theory` compare"
    )
    threads: UpTo1000 = Field(1, description="processor threads of a job; recorded with every result")
    sequential: SequentialSettings = SequentialSettings()
    memorisation: dict[str, str] = Field(
        {},
        description="dataset -> a file of scores that the command `memorisation` wrote, by which `memorised-<percent>` "
        "and `typical-<percent>` choose",
    )
    lists: dict[str, str] = Field(
        {},
        description="name -> a file of training images that `listed-<name>` forgets: their places in the prepared "
        "dataset, from 0, one a line",
    )
    datasets: dict[str, DatasetSettings] = Field(description="name -> where its images come from")
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
    published: bool = Field(
        False,
        description="refuse to gather other results than the ones that are committed, unless told to replace them",
    )
    plugins: list[str] = Field([], description="modules or .py files that register methods, architectures or sources")
    labels: dict[str, str] = Field(
        {}, description="method, dataset or architecture -> what tables and figures print for its name"
    )
    colours: dict[str, Colour] = Field({}, description="method -> its colour in figures, `#RRGGBB`")
    only: Annotated[list[str], once("output")] | None = Field(
        None, description="which of the tables and figures, inherited or its own, the study has; all unless given"
    )
    tables: dict[str, OutputSettings] = Field({}, description="name -> a table; the name is also a workflow target")
    figures: dict[str, OutputSettings] = Field({}, description="name -> a figure; the name is also a workflow target")

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
