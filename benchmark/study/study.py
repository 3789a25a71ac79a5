"""A study: what it shows, and the runs that this needs.

Reading a study checks all of it, down to every hyperparameter of every run, and imports no deep-learning library.
"""

from __future__ import annotations

from typing import Any, Self

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.methods import scored
from benchmark.study import plugins, tuning
from benchmark.study.checks import check
from benchmark.study.plan import PlannedStudy
from benchmark.study.reading import parse, read, validated, with_local_datasets


class Study(PlannedStudy):
    """The typed form of ``config/<study>.yaml``."""

    @classmethod
    def load(cls, name: str, tuned: bool = True) -> Self:
        """Read and check ``config/<name>.yaml``; raise `BadInput` for the faults found first, naming their places.

        ``<name>-tuning``, the study of all that is trained to tune another, needs no file. Tuned values that the study
        includes override its hyperparameters, unless ``tuned`` is false. A fault that it takes over from a study that
        it extends is reported as of that one.
        """
        try:
            return cls._load(name, tuned)
        except BadInput as error:
            if parents := cls._same_in_parent(name, str(error), tuned):
                raise parents from None
            raise

    @classmethod
    def _same_in_parent(cls, name: str, message: str, tuned: bool) -> BadInput | None:
        """Return the error of the study that this one extends if it has the same fault, which is to be mended there."""
        file = paths.study_file(name)
        fault = message.removeprefix(f"{file}: ")
        if fault == message or fault.startswith("extends") or not file.is_file():
            return None
        try:
            if parent := parse(file).get("extends"):
                cls.load(parent, tuned)
        except BadInput as error:
            return error if str(error).endswith(f": {fault}") else None
        return None

    @classmethod
    def _load(cls, name: str, tuned: bool) -> Self:
        if name.endswith(tuning.TUNING) and not paths.study_file(name).is_file():
            return cls.to_tune(cls.load(name.removesuffix(tuning.TUNING), tuned=False))
        return cls._of(name, read(name, tuned=tuned), tuned)

    @classmethod
    def to_tune(cls, study: Self) -> Self:
        """Return the study of all that is trained to tune another; raise `BadInput` if there is nothing to tune."""
        return cls._of(study.name + tuning.TUNING, tuning.tuning_data(study), tuned=False)

    @classmethod
    def _of(cls, name: str, data: dict[str, Any], tuned: bool) -> Self:
        data = with_local_datasets(data)
        # Plugins come first, since the rest of the file may name what they register.
        plugins.load(data.get("plugins") or [], where=f"{paths.study_file(name)}: plugins")
        if isinstance(named := data.get("scored"), dict):  # anything else is refused below, by its type
            where = f"{paths.study_file(name)}: scored"
            try:
                scored.register(named, where)
            except BadInput as error:
                raise BadInput(str(error) if str(error).startswith(where) else f"{where}: {error}") from None
        study = validated(cls, data, str(paths.study_file(name)))
        study._name = name
        if tuned and study.tuned is not None:
            study._load_untuned = lambda: cls.load(name, tuned=False)
        shown, only = study, study.only
        if only is not None:
            sections = {key: getattr(study, key) for key in ("tables", "figures")}
            kept = {key: {name: section[name] for name in section if name in only} for key, section in sections.items()}
            shown = study.model_copy(update=kept)
            shown._whole = study
        check(study, shown)
        return shown
