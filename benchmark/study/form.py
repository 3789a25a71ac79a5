"""The typed form of a study file: every key of ``config/<study>.yaml`` with its meaning."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator

from benchmark.settings import (
    DatasetSettings,
    OutputSettings,
    Positive,
    SequentialSettings,
    Strict,
    TuneSettings,
    UpTo1000,
    distinct,
)


class StudyForm(Strict):
    """The typed form of ``config/<study>.yaml``."""

    description: str = Field("", description="what the study is for, in a sentence")
    seed: int = Field(0, ge=0, description="root of every random number")
    trials: UpTo1000 = Field(3, description="runs of every cell; they differ in seed and in what `resample` names")
    resample: list[Literal["original", "split"]] = Field(
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
    members: Literal["first", "random"] = Field(
        "first", description="which retain samples the MIA takes as members: the first in dataset order, or a draw"
    )
    map_samples: Positive = Field(5000, description="training samples in a representation map, drawn at random")
    view_pairs: UpTo1000 = Field(
        8, description="pairs of augmented views of each of these samples that the kinds `theory` compare"
    )
    threads: UpTo1000 = Field(1, description="processor threads of a job; recorded with every result")
    sequential: SequentialSettings = SequentialSettings()
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
    published: bool = Field(
        False,
        description="refuse to gather other results than the ones that are committed, unless told to replace them",
    )
    plugins: list[str] = Field([], description="modules or .py files that register methods, architectures or sources")
    tables: dict[str, OutputSettings] = Field({}, description="name -> a table; the name is also a workflow target")
    figures: dict[str, OutputSettings] = Field({}, description="name -> a figure; the name is also a workflow target")

    _name: str = PrivateAttr()

    @property
    def name(self) -> str:
        """The study's name: its file's, without the suffix."""
        return self._name

    @field_validator("resample")
    @classmethod
    def _named_once(cls, resample: list[str]) -> list[str]:
        return distinct(resample, "resample")

    @field_validator("datasets", "tables", "figures")
    @classmethod
    def _plain_names(cls, named: dict[str, Any]) -> dict[str, Any]:
        for name in named:
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
                raise ValueError(f"{name!r}: a name is lower-case words and digits joined by '-'")
        return named
