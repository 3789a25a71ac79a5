"""What types alone cannot refuse in a study: names that nothing carries, and cells that cannot be."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from benchmark import paths
from benchmark.errors import BadInput, unknown
from benchmark.methods.base import GROUPS
from benchmark.names import Cell, MethodName, RunName, Scenario, matches
from benchmark.registry import ARCHITECTURES, METHODS, OWN_AUDITS, SOURCES
from benchmark.study.form import OutputSettings
from benchmark.study.outputs import KINDS
from benchmark.study.plan import PlannedStudy
from benchmark.study.plugins import method_class
from benchmark.study.reading import tuned_values, validated
from benchmark.study.tuning import check_tuning, with_originals

# Of the images that the built-in sources bring: those of files are read as colour.
CHANNELS = {"digits": 1, "folder": 3, "parquet": 3, "official": 3}
# Targets of the workflow, which an output's name is as well.
TARGETS = ("all", "split", "run", "weights", "embed", "collect", "collected", "page", "tune")


def check(study: PlannedStudy) -> None:
    """Refuse what types alone cannot: names that nothing carries, and cells that cannot be."""
    for name, dataset in study.datasets.items():
        if dataset.source not in SOURCES:
            raise unknown("data source", dataset.source, SOURCES, f"{study.file}: datasets.{name}.source")
        if dataset.source in CHANNELS:
            _check_channels(study, name, CHANNELS[dataset.source])
    for taken, what in (
        (study.tables.keys() & study.figures.keys(), "both a table and a figure"),
        (study.compared.keys() & (study.tables.keys() | study.figures.keys()), "made by itself"),
        (study.outputs.keys() & TARGETS, "a target of the workflow"),
    ):
        if taken:
            raise BadInput(f"{study.file}: {min(taken)!r} is {what}: call the output something else")
    for name in study.only or ():
        if name not in study.tables | study.figures:
            raise unknown("table or figure", name, study.tables | study.figures, f"{study.file}: only")
    for key, named in (("labels", [*METHODS, *study.datasets, *ARCHITECTURES]), ("colours", list(METHODS))):
        for name in getattr(study, key):
            if name not in named:
                raise unknown("name", name, named, f"{study.file}: {key}")
    _own_audits(study)
    _hyperparameters(study)
    _hold_out(study)
    for name in [*study.tables, *study.figures]:
        _output(study, name)
    check_tuning(study)
    for name, dataset in study.datasets.items():
        if dataset.subset:
            _check_batches(study, name, dataset.subset)


def _own_audits(study: PlannedStudy) -> None:
    if not study.audits:
        return
    from benchmark.metrics.samplewise.sufficiency import AUDITS  # here, since it imports scipy

    for name in study.audits:
        if name not in OWN_AUDITS:
            raise unknown("audit", name, OWN_AUDITS, f"{study.file}: audits")
        if name in AUDITS:
            raise BadInput(f"{study.file}: audits: {name!r} is an audit of ours: call yours something else")


def _check_channels(study: PlannedStudy, dataset: str, channels: int) -> None:
    if (given := len(study.datasets[dataset].augmentation.mean)) != channels:
        where = f"{study.file}: datasets.{dataset}.augmentation.mean"
        accepted = f"accepted {'is 1 number' if channels == 1 else f'are {channels} numbers'}, for mean and for std"
        raise BadInput(f"{where}: {given} for images of {channels} channel{'s' * (channels > 1)}: {accepted}")


def _check_batches(study: PlannedStudy, dataset: str, train: int) -> None:
    """Refuse a batch that is larger than what is retained of ``train`` images; what a class leaves is not known."""
    for run in study.runs():
        if run.name.dataset == dataset and run.settings.epochs:
            gone = study.hold_out
            if run.name.scenario:
                scenario = Scenario(run.name.scenario)
                gone += scenario.percent * scenario.stages
            retained = train - train * gone // 100
            if run.settings.batch_size > retained:
                where = f"{study.file}: run {str(run.name)!r}: batch_size"
                raise BadInput(f"{where}: {run.settings.batch_size}: accepted is at most the {retained} retain images")


def _hold_out(study: PlannedStudy) -> None:
    if not study.hold_out:
        return
    if study.resample == ["split"]:
        raise BadInput(
            f"{study.file}: hold_out: {study.hold_out}: with resample: [split] a trial's Original would have seen what "
            "the trial holds out; accepted are resample: [original, split], [original] and []"
        )
    for cell in study.listed_cells:
        scenario = Scenario(cell.scenario)
        gone = scenario.percent * scenario.stages
        if gone + study.hold_out >= 100:
            raise BadInput(
                f"{study.file}: hold_out: {study.hold_out}: {cell} forgets {gone} %, so that nothing is retained"
            )


def _output(study: PlannedStudy, name: str) -> None:
    output, section = study.output(name), study.section_of(name)
    where = f"{study.file}: {section}.{name}"
    if output.kind not in KINDS[section]:
        raise unknown(f"kind of {section[:-1]}", output.kind, KINDS[section], f"{where}.kind")
    kind = study.kind_of(name)
    for needed in kind.needs:
        if not getattr(output, needed):
            raise BadInput(f"{where}.{needed}: empty; a {output.kind!r} needs at least one")
    _studies(where, output, kind.of_studies)
    _scored(study, where, output, bool(kind.derives))
    if (output.trials or 0) > study.trials:
        accepted = "fewer, or null for all, is accepted (a study that extends another inherits the other's)"
        raise BadInput(f"{where}.trials: {output.trials}: the study has {study.trials}; {accepted}")
    if study.report_epoch == "best" and kind.by_epoch and output.trials not in (None, study.trials):
        one = f"{where}.trials: {output.trials}: the best epoch depends on how many trials there are"
        raise BadInput(f"{one}: accepted are all {study.trials} of the study")
    try:
        study.runs_of(name)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None


def _scored(study: PlannedStudy, where: str, output: OutputSettings, features: bool) -> None:
    """Refuse an output that wants of predictions what they have not: settings, features, stages, a trial's file."""
    for parsed in map(MethodName.parse, output.methods):
        if parsed.base not in study.scored:
            continue
        if parsed.settings:
            raise BadInput(
                f"{where}: method {str(parsed)!r}: predictions have no settings; accepted is {parsed.base!r}"
            )
        if features:
            raise BadInput(f"{where}: method {parsed.base!r}: predictions made elsewhere have no features to show")
        for cell, trial in itertools.product(map(Cell.parse, output.cells), range(output.trials or study.trials)):
            if Scenario(cell.scenario).kind == "sequential":
                raise BadInput(f"{where}: method {parsed.base!r}: {cell} has stages, and predictions are of one model")
            path = method_class(parsed).file(RunName(cell.dataset, cell.arch, cell.scenario, parsed.base, trial))
            if not path.is_file():
                raise BadInput(f"{where}: method {parsed.base!r}: there is no file {path}, of trial {trial}")


def _studies(where: str, output: OutputSettings, shown: bool) -> None:
    if output.studies and not shown:
        kinds = [name for name, kind in KINDS["tables"].items() if kind.of_studies]
        raise BadInput(f"{where}.studies: a {output.kind!r} shows its own study alone: accepted are {kinds}")
    known = paths.studies()
    for name in output.studies:
        if name not in known:
            raise unknown("study", name, known, f"{where}.studies")


def check_classes(study: PlannedStudy, dataset: str, known: Sequence[str]) -> None:
    """Raise `BadInput` if a scenario or an output names a class that a prepared dataset turns out to lack."""
    for name, output in study.outputs.items():
        cells = [cell for cell in map(Cell.parse, output.cells) if cell.dataset == dataset]
        wanted = [*(output.classes if cells else []), *(Scenario(cell.scenario).class_name for cell in cells)]
        for class_name in wanted:
            if class_name is not None and class_name not in known:
                where = f"{study.file}: {study.section_of(name)}.{name}"
                raise unknown(f"class of {dataset}", class_name, known, where)


def check_prepared(study: PlannedStudy, dataset: str, facts: dict[str, Any]) -> None:
    """Raise `BadInput` for what a study asks of a dataset whose facts, known once it is prepared, say otherwise."""
    check_classes(study, dataset, facts["classes"])
    train, test = facts["shapes"]["train_labels"], facts["shapes"]["test_labels"]
    _check_channels(study, dataset, facts["shapes"]["train_images"][3])
    _check_batches(study, dataset, train[0])
    # Where there are no more training than test images, every retain sample is a member.
    if facts.get("sorted_by_class") and study.members == "first" and train > test:
        raise BadInput(
            f"{study.file}: members: 'first': {dataset} is sorted by class, and the attack would know the first "
            "classes alone; accepted for it: 'random'"
        )


def _hyperparameters(study: PlannedStudy) -> None:
    places = with_originals(map(str, study.listed_cells))
    tuned = tuned_values(study.tuned, study.file) if study.includes_tuned else {}
    for pattern, entries in study.hyperparameters.items():
        where = f"{study.file}: hyperparameters.{pattern}"
        # Tuned values may be of cells that a study which extends the tuned one does not show.
        if not any(matches(pattern, place) for place in places) and pattern not in tuned:
            raise BadInput(f"{where}: matches no cell of the study. Its cells: {', '.join(places)}")
        for name, values in entries.items():
            if name in GROUPS:
                model = GROUPS[name]
            else:
                method = MethodName.parse(name, where)
                if method.settings or method.head != name:
                    raise BadInput(f"{where}.{name}: accepted here is {method.head!r}, settings below it")
                model = method_class(method, f"{where}.{name}").Settings
            # By itself, over the method's defaults: so a fault is named where it stands, shown or not.
            validated(model, values, f"{where}.{name}")
