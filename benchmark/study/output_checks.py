"""Checks of one table or figure: the settings of its kind, and the runs that it shows."""

from __future__ import annotations

import itertools

from benchmark import paths
from benchmark.errors import BadInput, unknown
from benchmark.names import MethodName, RunName, Scenario
from benchmark.study.form import OutputSettings
from benchmark.study.kinds import KINDS, LISTS, MAPS
from benchmark.study.plan import PlannedStudy
from benchmark.study.plugins import method_class


def check_output(study: PlannedStudy, name: str) -> None:
    """Raise `BadInput` for a setting that the table or figure cannot have, and for runs that it cannot show."""
    output, section = study.output(name), study.section_of(name)
    where = f"{study.file}: {section}.{name}"
    for other in KINDS.keys() - {section}:
        if output.kind in KINDS[other] and output.kind not in KINDS[section]:
            raise BadInput(f"{where}.kind: {output.kind!r} is a kind of {other[:-1]}: accepted below {other!r} alone")
    if output.kind not in KINDS[section]:
        raise unknown(f"kind of {section[:-1]}", output.kind, KINDS[section], f"{where}.kind")
    kind = study.kind_of(name)
    for setting in kind.needs:
        if not getattr(output, setting):
            raise BadInput(f"{where}.{setting}: empty; a {section[:-1]} of kind {output.kind!r} needs at least one")
    for setting in LISTS if kind.from_gathered else ():
        if listed := getattr(output, setting):
            shows = f"a table of kind {output.kind!r} is of all runs that the study's other tables and figures show"
            raise BadInput(f"{where}.{setting}: {', '.join(listed)}: accepted is none; {shows}")
    _check_studies(where, output, kind.of_studies)
    for setting, is_used in (
        ("classes", kind.of_class),
        ("show", kind.derives == MAPS),
        ("trials", not (kind.of_one_trial or kind.from_gathered or kind.of_studies)),
    ):
        if not is_used and getattr(output, setting) != type(output).model_fields[setting].get_default():
            raise BadInput(f"{where}.{setting}: a {section[:-1]} of kind {output.kind!r} does not use it: leave it out")
    _check_scored(study, where, output, bool(kind.derives))
    if (output.trials or 0) > study.trials:
        accepted = "fewer, or null for all, is accepted (a study that extends another inherits the other's)"
        raise BadInput(f"{where}.trials: {output.trials}: the study has {study.trials}; {accepted}")
    if study.report_epoch == "best" and kind.by_epoch and output.trials not in (None, study.trials):
        reason = f"{where}.trials: {output.trials}: the best epoch depends on how many trials there are"
        raise BadInput(f"{reason}: accepted are all {study.trials} of the study")
    try:
        study.runs_of(name)
    except BadInput as error:
        has_place = str(error).startswith(study.file)  # as of a list that the study names elsewhere
        raise BadInput(str(error) if has_place else f"{where}: {error}") from None


def _check_scored(study: PlannedStudy, where: str, output: OutputSettings, features: bool) -> None:
    """Refuse outputs that need what predictions lack: settings, features, stages or a trial's file."""
    for parsed in map(MethodName.parse, output.methods):
        if parsed.base not in study.scored:
            continue
        if parsed.settings:
            raise BadInput(
                f"{where}: method {str(parsed)!r}: predictions have no settings; accepted is {parsed.base!r}"
            )
        if features:
            raise BadInput(f"{where}: method {parsed.base!r}: predictions made elsewhere have no features to show")
        for cell, trial in itertools.product(output.parsed_cells, range(output.trials or study.trials)):
            if Scenario(cell.scenario).kind == "sequential":
                raise BadInput(f"{where}: method {parsed.base!r}: {cell} has stages, and predictions are of one model")
            path = method_class(parsed).file(RunName(cell.dataset, cell.arch, cell.scenario, parsed.base, trial))
            if not path.is_file():
                raise BadInput(f"{where}: method {parsed.base!r}: there is no file {path}, of trial {trial}")


def _check_studies(where: str, output: OutputSettings, of_studies: bool) -> None:
    if output.studies and not of_studies:
        kinds = ", ".join(name for name, kind in KINDS["tables"].items() if kind.of_studies)
        raise BadInput(f"{where}.studies: kind {output.kind!r} shows its own study alone: accepted is {kinds}")
    studies = paths.studies() if output.studies else []
    for name in output.studies:
        if name not in studies:
            raise unknown("study", name, studies, f"{where}.studies")
