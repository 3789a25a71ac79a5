"""Checks of a study that types alone cannot make: unknown names and impossible cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmark import paths
from benchmark.data.splits import chosen_by, share
from benchmark.data.store import WHERE
from benchmark.errors import BadInput, closest, number_of, unknown
from benchmark.methods.base import GROUPS
from benchmark.models import check_sides
from benchmark.names import ORIGINAL, RETRAIN, MethodName, Scenario, matches
from benchmark.registry import ARCHITECTURES, METHODS, OWN_AUDITS, SOURCES
from benchmark.settings import SMALLEST, DatasetSettings
from benchmark.study.output_checks import check_output
from benchmark.study.plan import PlannedStudy
from benchmark.study.plugins import method_class
from benchmark.study.reading import place_of, tuned_values, validated
from benchmark.study.tuning import check_tuning, with_originals

# Channels of the images of built-in sources: images in files are read as colour.
CHANNELS = {"digits": 1, "folder": 3, "parquet": 3, "official": 3}
# Settings that say where images lie, by the built-in source that reads them; a plugin's source may read any.
READ = {
    "digits": (),
    "folder": ("path",),
    "official": ("path", "checksum"),
    "parquet": ("path", "train", "test", "image_column", "label_column"),
}
PIXELS = {"digits": 8}  # a side of an image; those of other sources are known once they are prepared
# Targets of the workflow; the name of an output is a target too.
TARGETS = ("all", "split", "run", "weights", "embed", "collect", "collected", "page", "tune")


def check(study: PlannedStudy, shown: PlannedStudy) -> None:
    """Raise `BadInput` for what types alone cannot refuse: unknown names and impossible cells.

    ``shown`` is the study without the outputs that ``only`` leaves out. A study that extends another need not fit
    these, but names and hyperparameters may belong to them.
    """
    if study.name in paths.NO_STUDIES:
        raise BadInput(f"{study.file}: {paths.TABLES / study.name}/ is of no study: call the study something else")
    _check_sources(study)
    _check_names(study)
    _check_labels(study)
    _check_own_audits(study)
    _check_hyperparameters(study)
    _check_hold_out(study)
    for name in [*shown.tables, *shown.figures]:
        check_output(shown, name)
    check_tuning(study)
    for name, dataset in study.datasets.items():
        if dataset.source in CHANNELS:
            _check_channels(shown, name, CHANNELS[dataset.source])
        if dataset.subset:
            check_batches(shown, name, dataset.subset)
        if side := dataset.size or PIXELS.get(dataset.source):
            _check_sides(shown, name, side, side)


def _check_sources(study: PlannedStudy) -> None:
    for name, dataset in study.datasets.items():
        if dataset.source not in SOURCES:
            raise unknown("data source", dataset.source, SOURCES, f"{place_of(name, 'source', study.file)}.source")
        for key in WHERE[1:]:
            value, default = getattr(dataset, key), DatasetSettings.model_fields[key].default
            if value != default and key not in READ.get(dataset.source, WHERE):
                where = f"{place_of(name, key, study.file)}.{key}"
                raise BadInput(f"{where}: {value!r}: source {dataset.source!r} does not use it: leave it out")


def _check_names(study: PlannedStudy) -> None:
    """Refuse names of outputs that have another use, and names of what is not there."""
    outputs = study.tables.keys() | study.figures.keys()
    for names, use in (
        (study.tables.keys() & study.figures.keys(), "both a table and a figure"),
        (study.versus_tables.keys() & outputs, "made by itself"),
        (study.outputs.keys() & TARGETS, "a target of the workflow"),
    ):
        if names:
            raise BadInput(f"{study.file}: {min(names)!r} is {use}: call the output something else")
    for key, kind, known in (
        ("only", "table or figure", outputs),
        ("labels", "name", {*METHODS, *study.datasets, *ARCHITECTURES}),
        ("colours", "name", {*METHODS}),
        ("memorisation", "dataset", study.datasets.keys()),
    ):
        for name in getattr(study, key) or ():
            if name not in known:
                raise unknown(kind, name, known, f"{study.file}: {key}")


def _check_labels(study: PlannedStudy) -> None:
    """Refuse one label for two methods, datasets or architectures that are shown: nobody could tell them apart."""
    methods = {MethodName.parse(name).key for output in study.outputs.values() for name in output.methods}
    archs = {cell.arch for cell in study.listed_cells}
    for names, labels in ((methods, METHODS.labels), (study.datasets, {}), (archs, ARCHITECTURES.labels)):
        shown: dict[str, str] = {}
        for name in sorted(names):
            label = (labels | study.labels).get(name, name)
            if (other := shown.setdefault(label.casefold(), name)) != name:
                raise BadInput(f"{study.file}: labels: {label!r} would stand for {other} and {name}: give them two")


def _check_own_audits(study: PlannedStudy) -> None:
    if not study.audits:
        return
    from benchmark.metrics.samplewise.built_in_audits import AUDITS  # here, since it imports scipy

    for name in study.audits:
        if name in AUDITS:
            reason = "call yours something else" if name in OWN_AUDITS else "every study has it"
            raise BadInput(f"{study.file}: audits: {name!r} is an audit of ours: {reason}")
        if name not in OWN_AUDITS:
            raise unknown("audit", name, OWN_AUDITS, f"{study.file}: audits")
        try:
            OWN_AUDITS.code(name)
        except BadInput as error:
            raise BadInput(f"{study.file}: audits: {name!r}: {error}") from None


def _check_channels(study: PlannedStudy, dataset: str, channels: int) -> None:
    """Refuse an augmentation for another number of channels, and a second view in other colours for grey images."""
    if (count := len(study.datasets[dataset].augmentation.mean)) != channels:
        where = f"{study.file}: datasets.{dataset}.augmentation.mean"
        accepted = f"accepted {'is 1 number' if channels == 1 else f'are {channels} numbers'}, for mean and for std"
        raise BadInput(f"{where}: {count} for images of {number_of(channels, 'channel')}: {accepted}")
    for run in study.runs() if channels == 1 else ():
        transform = getattr(run.settings, "cl_transform", "")
        if run.name.dataset == dataset and {*"JG"} & {*transform}:
            where = f"{study.file}: run {str(run.name)!r}: cl_transform"
            raise BadInput(f"{where}: {transform!r}: accepted for grey images are the letters C, H and N")


def _check_sides(study: PlannedStudy, dataset: str, height: int, width: int) -> None:
    """Refuse architectures that cannot take the images."""
    for cell in study.cells:
        if cell.dataset == dataset:
            try:
                check_sides(cell.arch, width, height)
            except BadInput as error:
                raise BadInput(f"{study.file}: {cell}: {error}") from None


def check_batches(study: PlannedStudy, dataset: str, train: int) -> None:
    """Refuse batches larger than what is retained of ``train`` images; the size of a forgotten class is not known."""
    runs = [run for run in study.runs() if run.name.dataset == dataset]
    retained = {
        name: _retained(study, dataset, name, train) for name in dict.fromkeys(run.name.scenario for run in runs)
    }
    for run in runs:
        most = retained[run.name.scenario]
        if run.settings.epochs and run.settings.batch_size > most:
            where = f"{study.file}: run {str(run.name)!r}: batch_size"
            images = number_of(most, "training image" if run.name.is_original else "retain image")
            raise BadInput(f"{where}: {run.settings.batch_size}: accepted is at most the {images}")


def _retained(study: PlannedStudy, dataset: str, scenario_name: str, train: int) -> int:
    """Return how many of ``train`` images a scenario retains at most; raise `BadInput` if it forgets none or all."""
    held_out = share(train, study.hold_out)
    if not scenario_name:
        return train - held_out
    scenario = Scenario(scenario_name)
    if scenario.list_name and (file := study.chosen_by(dataset, scenario)):
        listed = len(chosen_by(file[0], scenario, train))
        if listed == train:
            where = f"{study.file}: lists.{scenario.list_name}"
            raise BadInput(f"{where}: {file[0]} lists all {train} training images, so that nothing is retained")
        return train - max(listed, held_out)  # those held out may be on the list
    removed = [share(train, scenario.percent * stage) for stage in range(scenario.stages + 1)]
    if scenario.percent and len({*removed}) < len(removed):
        at_stage = " at some stage" * (scenario.stages > 1)
        accepted = f"accepted is a share of the {number_of(train, 'training image')} that rounds to one or more"
        raise BadInput(f"{study.file}: scenario {scenario_name!r} forgets no image of {dataset}{at_stage}: {accepted}")
    return train - held_out - removed[-1]


def _check_hold_out(study: PlannedStudy) -> None:
    if not study.hold_out:
        return
    if study.resample == ["split"]:
        raise BadInput(
            f"{study.file}: hold_out: {study.hold_out}: with resample: [split] a trial's Original would have seen what "
            "the trial holds out; accepted are resample: [original, split], [original] and []"
        )
    for cell in study.listed_cells:
        scenario = Scenario(cell.scenario)
        percent = scenario.percent * scenario.stages
        if percent + study.hold_out >= 100:
            raise BadInput(
                f"{study.file}: hold_out: {study.hold_out}: {cell} forgets {percent} %, so that nothing is retained"
            )


def check_classes(study: PlannedStudy, dataset: str, classes: Sequence[str]) -> None:
    """Raise `BadInput` if a scenario or an output names a class that a prepared dataset lacks."""
    for name, output in study.outputs.items():
        cells = [cell for cell in output.parsed_cells if cell.dataset == dataset]
        names = [*(output.classes if cells else []), *(Scenario(cell.scenario).class_name for cell in cells)]
        for class_name in names:
            if class_name is not None and class_name not in classes:
                where = f"{study.file}: {study.section_of(name)}.{name}"
                raise unknown(f"class of {dataset}", class_name, classes, where)


def check_prepared(study: PlannedStudy, dataset: str, record: dict[str, Any]) -> None:
    """Raise `BadInput` if a study does not fit the record of a prepared dataset."""
    check_classes(study, dataset, record["classes"])
    for cell in study.cells:
        if cell.dataset == dataset and (file := study.chosen_by(dataset, Scenario(cell.scenario))):
            chosen_by(file[0], Scenario(cell.scenario), record["shapes"]["train_labels"][0])
    count, height, width, channels = record["shapes"]["train_images"]
    if min(height, width) < SMALLEST:
        accepted = f"accepted are images of {SMALLEST} pixels a side or more"
        raise BadInput(f"{study.file}: datasets.{dataset}: images of {width}x{height} pixels: {accepted}")
    _check_channels(study, dataset, channels)
    check_batches(study, dataset, count)
    _check_sides(study, dataset, height, width)
    grouped = record.get("grouped_by_class", ["train"] * bool(record.get("sorted_by_class")))  # as earlier versions say
    check_members(study, dataset, grouped)


def check_members(study: PlannedStudy, dataset: str, grouped: Sequence[str]) -> None:
    """Raise `BadInput` if the membership attack would take the first of images that are ``grouped`` by class."""
    # Of members and non-members, the attack takes the first of the larger side. In a search the members are larger.
    if grouped and study.members == "first":
        raise BadInput(
            f"{study.file}: members: 'first': the {' and '.join(grouped)} images of {dataset} are grouped by class, so "
            "that the attack would know the first classes alone; accepted for them: 'random'"
        )


def _check_hyperparameters(study: PlannedStudy) -> None:
    listed = [str(cell) for cell in study.listed_cells]
    of_retrain = list(dict.fromkeys(str(reference) for cell in study.listed_cells for reference in cell.references))
    places = with_originals(dict.fromkeys([*listed, *of_retrain]))
    of_original = [place for place in places if place.endswith(f"/{ORIGINAL}")]
    takers = {ORIGINAL: of_original, RETRAIN: of_retrain, "training": [*of_original, *of_retrain]}
    tuned = tuned_values(study.tuned, study.file) if study.includes_tuned else {}
    for pattern, entries in tuned.items():
        _check_entries(f"{paths.tuned(str(study.tuned))}: hyperparameters.{pattern}", entries)
    for pattern, entries in study.hyperparameters.items():
        where = f"{study.file}: hyperparameters.{pattern}"
        # Tuned values may belong to cells that a study extending the tuned one does not show.
        matched = {place for place in places if matches(pattern, place)}
        if not matched and pattern not in tuned:
            hint = f"; did you mean {close!r}?" if (close := closest(pattern, places)) else "."
            raise BadInput(f"{where}: matches no cell of the study{hint} Its cells: {', '.join(places)}")
        _check_entries(where, entries)
        for name in () if pattern in tuned else entries:
            if not matched & {*takers.get(name, listed)}:
                accepted = f"accepted is a pattern that matches {' or '.join(takers.get(name, listed))}"
                if matched <= {*of_original}:
                    accepted = f"accepted for {', '.join(of_original)} are 'training' and {ORIGINAL!r}"
                raise BadInput(f"{where}.{name}: no run of {', '.join(sorted(matched))} takes it: {accepted}")
    shown = [*listed, *of_original]  # a stage's Retrain is never tuned
    if tuned and not any(matches(pattern, place) for pattern in tuned for place in shown):
        accepted = f"accepted are tuned values of {', '.join(shown)}"
        raise BadInput(f"{study.file}: tuned: {study.tuned}: has values for {', '.join(tuned)} alone: {accepted}")
    for pattern, entries in study.tune.hyperparameters.items():
        _check_entries(f"{study.file}: tune.hyperparameters.{pattern}", entries)


def _check_entries(where: str, entries: dict[str, dict[str, Any]]) -> None:
    """Refuse an unknown method or setting, or a value that no run could have, at its own place."""
    for name, values in entries.items():
        if name in GROUPS:
            model = GROUPS[name]
        else:
            method = MethodName.parse(name, where)
            if method.base not in METHODS:
                raise unknown("method or group of methods", name, [*METHODS, *GROUPS], f"{where}.{name}")
            if method.settings or method.head != name:
                raise BadInput(f"{where}.{name}: accepted here is {method.head!r}, settings below it")
            model = method_class(method, f"{where}.{name}").Settings
        schedule = {key: value for key, value in values.items() if key == "schedule"}
        validated(model, schedule, f"{where}.{name}")
        # Each value for itself: with the others that a run has, `steps` or another final_lr, a small lr may be right.
        validated(model, values | {"schedule": "steps"}, f"{where}.{name}")
