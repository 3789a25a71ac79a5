"""Typed settings: their common base, and the settings of a dataset. Unknown keys and values are refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from numbers import Real
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from benchmark.errors import BadInput

Positive = Annotated[int, Field(ge=1)]
LARGEST = 10**15  # whole number accepted
SMALLEST = 4  # side of an image, in pixels
UNKNOWN_KEY = "unknown_key"  # the type of that validation error
UpTo1000 = Annotated[int, Field(ge=1, le=1000)]  # a slip of the finger must not plan a million runs
Trials = Annotated[int, Field(ge=1, le=100_000)]  # as many as the most demanding audit asks for
Scale = Literal["linear", "log", "log-complement"]  # how a search spreads its candidates


def once(kind: str, read: Callable[[str], object] = str) -> AfterValidator:
    """Return a validator: each text of a list can be read and is listed once. The list then holds what was read."""

    def check(texts: list[str]) -> list[str]:
        """Return the names in their usual form; raise `ValueError`, which is reported with its file and key."""
        try:
            names = [str(read(text)) for text in texts]
        except BadInput as error:
            raise ValueError(str(error)) from None
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{kind} {name!r} is listed twice")
        return names

    return AfterValidator(check)


def range_fault(low: float, high: float, scale: str) -> str:
    """Say why a setting cannot be searched from ``low`` to ``high`` on a scale; empty if it can."""
    if scale not in get_args(Scale):
        return f"scale {scale!r}: accepted is {', '.join(get_args(Scale))}"
    if not all(isinstance(end, Real) and math.isfinite(end) for end in (low, high)):
        return f"{low!r} to {high!r}: accepted are two finite numbers"
    if low >= high:
        return f"{low:g} to {high:g}: accepted is a lower and then a higher number"
    if (scale == "log" and low <= 0) or (scale == "log-complement" and high >= 1):
        accepted = f"numbers {'above 0' if scale == 'log' else 'below 1'}"
        return f"{low:g} to {high:g}: its orders of magnitude are searched: accepted are {accepted}"
    return ""


def leaves(value: Any) -> list[Any]:
    """Return the single values that lists and mappings hold, in order."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [leaf for item in inner for leaf in leaves(item)]


class Strict(BaseModel):
    """A model that refuses unknown keys and cannot be changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        """Refuse an unknown key before reporting a missing one: it may be that key, misspelt."""
        accepted = _accepted_keys(cls)
        for key, value in data.items() if isinstance(data, dict) else ():
            if key not in accepted:
                raise PydanticCustomError(UNKNOWN_KEY, "unknown key", {"key": key, "accepted": list(accepted)})
            for leaf in leaves(value) if accepted[key] else ():
                if isinstance(leaf, bool) or (isinstance(leaf, int) and abs(leaf) > LARGEST):
                    raise ValueError(f"{key}: {leaf}: accepted are numbers, whole ones to {LARGEST}")
        return data


@cache
def _accepted_keys(model: type[BaseModel]) -> dict[str, bool]:
    """Return the keys that a model accepts, and whether each takes numbers only."""
    types = {field.alias or name: str(field.annotation) for name, field in model.model_fields.items()}
    return {key: bool(re.search(r"\b(int|float)\b", text)) and "bool" not in text for key, text in types.items()}


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
        if not all(0 <= value <= 1 for value in self.mean):
            raise ValueError(f"mean is {self.mean}: accepted are numbers from 0 to 1, as for pixels from 0 to 1")
        if not all(0 < value <= 1 for value in self.std):
            raise ValueError(f"std is {self.std}: accepted are numbers above 0 and up to 1, as for pixels from 0 to 1")
        return self


class DatasetSettings(Strict):
    """Where a dataset's images come from and how they are presented to a model."""

    source: str = Field(description="the data source that reads the images")
    path: str | None = Field(None, min_length=1, description="the folder with the files, for sources that read files")
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
        None, description="parquet: the column with the labels, integers or text; by default `label` or `fine_label`"
    )
    classes: Annotated[list[str], once("class")] | None = Field(
        None,
        description="the names of the classes, in the order of the labels; by default the source's. Text labels are "
        "numbered in this order, by default alphabetically",
    )
    subset: Positive | None = Field(
        None, description="how many training images to keep, as many of each class where they suffice; by default all"
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
    size: Annotated[int, Field(ge=SMALLEST, le=1024)] | None = Field(
        None, description="the side to resize images to, in pixels; needed only if their sizes differ"
    )
    augmentation: Augmentation = Augmentation()

    @field_validator("train", "test")
    @classmethod
    def _is_pattern(cls, pattern: str) -> str:
        if any("**" in part and part != "**" for part in pattern.split("/")):
            raise ValueError("accepted is '**' as a folder alone, as in '**/train-*.parquet'")
        return pattern
