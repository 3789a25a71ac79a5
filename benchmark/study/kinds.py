"""The kinds of tables and figures: the settings that each needs, and the runs that it shows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.names import CL, ORIGINAL, RETRAIN, Cell, MethodName, RunName, Scenario
from benchmark.study.form import OutputSettings
from benchmark.study.resolve import ResolvedStudy

# What can be derived from a run's weights, as one file per run and scenario.
DERIVED = MAPS, DISTANCES, VIEWS, RELEARNING = "maps", "distances", "views", "relearning"
LEAST_SCORED = 5  # trials of which others' Retrains can score a sample: see `benchmark.metrics.samplewise.memorisation`
LISTS = ("cells", "methods")  # the settings that list what is shown


@dataclass(frozen=True)
class Kind:
    """A kind of table or figure.

    Attributes
    ----------
    description : what it shows, for the manual.
    runs : the runs it shows, in its order.
    of_class : whether it is about the forget samples of the first of ``classes``.
    of_studies : whether it sets the gathered results of ``studies`` side by side, and has no runs.
    shows_results : false if it shows the runs' settings, not their results.
    by_epoch : whether it shows the epoch that the study reports, which may not be the last.
    derives : what is derived from the runs' weights, which are then kept; or None.
    reported : the file of the paper's printed numbers that it can stand beside, or None.
    from_gathered : whether it is drawn from the gathered results of all runs, not from runs of its own.
    """

    description: str
    runs: Callable[[ResolvedStudy, OutputSettings], list[RunName]] = lambda study, output: []
    of_class: bool = False
    of_studies: bool = False
    shows_results: bool = True
    by_epoch: bool = False
    derives: str | None = None
    reported: str | None = None
    from_gathered: bool = False

    @property
    def needs(self) -> list[str]:
        """The settings that must not be empty."""
        return [*LISTS * (not self.from_gathered), *["classes"] * self.of_class, *["studies"] * self.of_studies]

    @property
    def of_one_trial(self) -> bool:
        """Whether it shows the first trial alone."""
        return self.runs in (_first_trial, _searched)

    @property
    def reported_files(self) -> list[Path]:
        """The file ``reported``, if there is one."""
        return [path for path in [paths.REPORTED / (self.reported or "")] if path.is_file()]

    @property
    def reported_cells(self) -> set[str]:
        """The cells for which the paper prints numbers, as dataset/arch/scenario."""
        cells: set[str] = set()
        for path in self.reported_files:
            with path.open(encoding="utf-8", newline="") as lines:
                cells |= {f"{row['dataset']}/{row['arch']}/{row['scenario']}" for row in csv.DictReader(lines)}
        return cells


def _run_names(
    study: ResolvedStudy,
    output: OutputSettings,
    methods: Collection[str],
    cells: Iterable[Cell] | None = None,
    trials: int = 0,
) -> list[RunName]:
    """Return the runs of methods in cells and trials, by default those that the output shows."""
    cells = output.parsed_cells if cells is None else cells
    numbers = range(trials or output.trials or study.trials)
    return [study.run_name(cell, method, trial) for cell in cells for method in methods for trial in numbers]


def _listed(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    return _run_names(study, output, output.methods)


def _first_trial(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    return _run_names(study, output, output.methods, trials=1)


def _with_reference(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    return _run_names(study, output, dict.fromkeys([RETRAIN, *output.methods]))


def with_and_without(method: str) -> list[str]:
    """Return a method's name without and with the contrastive term."""
    name = MethodName.parse(method)
    return [method, str(replace(MethodName.parse(name.head + CL), settings=name.settings))]


def _improvement(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    pairs = [name for method in output.methods for name in with_and_without(method)]
    return _run_names(study, output, dict.fromkeys([RETRAIN, *pairs]))


def _stages(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    stages = []
    for cell in output.parsed_cells:
        if Scenario(cell.scenario).kind != "sequential":
            raise BadInput(f"cells: {cell}: accepted are sequential ones, such as digits/convnet/sequential-5x10")
        stages += cell.references
    return _run_names(study, output, [RETRAIN], stages) + _listed(study, output)


def untuned_name(study: ResolvedStudy, cell: Cell, method: str) -> str:
    """Return a method's name with its values in the study before tuned ones override them."""
    own, tuned = (version.settings_of(cell, method) for version in (study.untuned, study))
    changed = [f"{key}={own[key]}" for key in own if own[key] != tuned[key]]
    return str(MethodName.parse("@".join([method, *changed])))


def _tuned_and_not(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    if study.tuned is None:
        raise BadInput("kind 'tuning' shows what tuned values are worth: the study includes none (tuned: <study>)")
    runs = _run_names(study, output, [RETRAIN])
    for cell in output.parsed_cells:
        variants = [name for method in output.methods for name in (method, untuned_name(study, cell, method))]
        runs += _run_names(study, output, variants, [cell])
    return runs


def _searched(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    if study.tuned is None or (study.includes_tuned and not study.tuned_file.get("found")):
        raise BadInput("kind 'search' shows what a search found: the study includes no tuned values (tuned: <study>)")
    return _first_trial(study, output)


def varied(study: ResolvedStudy, output: OutputSettings) -> str:
    """Return the setting that the listed methods give different values; raise `BadInput` unless it is exactly one."""
    methods = [method for method in output.methods if method != RETRAIN]
    settings = [dict(MethodName.parse(method).settings) for method in methods]
    # A setting that all of them share, such as fewer epochs, is not varied.
    keys = {key for values in settings for key in values if len({str(other.get(key)) for other in settings}) > 1}
    if len(keys) != 1:
        names = " and ".join(sorted(keys)) or "no setting"
        accepted = "accepted is one setting, such as coun@tau=0.1 beside coun@tau=0.2"
        raise BadInput(f"methods: they differ in {names}: {accepted}")
    (key,) = keys
    for cell in output.parsed_cells:
        for method in methods:
            if key not in study.settings_of(cell, method):
                raise BadInput(f"methods: {method!r} has no setting {key!r}, which this figure varies")
    return key


def _ablation(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    varied(study, output)
    return _with_reference(study, output)


def _power(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    if len(output.methods) < 2:
        raise BadInput(f"methods: {output.methods[0]}: accepted are two or more, the first being compared with")
    return _with_reference(study, output)


def _cost(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    if {*output.methods} == {RETRAIN}:
        raise BadInput("methods: retrain: accepted is at least one other, whose gap to Retrain is shown")
    return _with_reference(study, output)


def _predictions(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    for cell in output.parsed_cells:
        forgotten = Scenario(cell.scenario).class_name
        if forgotten not in (None, output.classes[0]):
            raise BadInput(f"classes: {output.classes[0]!r} comes first, but {cell} forgets {forgotten!r}")
    return _with_reference(study, output)


def _distances(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    if len(output.classes) < 2:
        raise BadInput(f"classes: {output.classes[0]}: accepted are two or more, the first being the forgotten one")
    return _predictions(study, output)


def _relearned(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    return _run_names(study, output, dict.fromkeys([ORIGINAL, RETRAIN, *output.methods]))


def _audited(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    if output.trials not in (None, study.trials):
        raise BadInput(
            f"trials: {output.trials}: what an audit reads depends on how many trials there are: accepted are all "
            f"{study.trials} of the study"
        )
    return _relearned(study, output)


def _memorised(study: ResolvedStudy, output: OutputSettings) -> list[RunName]:
    if (trials := output.trials or study.trials) < LEAST_SCORED:
        why = "of the other trials' Retrains, two must have seen a sample, and two not"
        raise BadInput(f"trials: {trials}: accepted are at least {LEAST_SCORED}: {why}")
    for cell in output.parsed_cells:
        if "split" not in study.resample or Scenario(cell.scenario).kind != "random":
            raise BadInput(f"cells: {cell}: accepted are random ones of a study with resample: [original, split]")
    return _audited(study, output)


KINDS = {
    "tables": {
        "unlearning": Kind(
            "metrics, gaps to Retrain and costs", _with_reference, by_epoch=True, reported="unlearning.csv"
        ),
        "predictions": Kind(
            "what forget samples of the first of `classes` are taken for, and how far that is from Retrain's",
            _predictions,
            of_class=True,
            reported="predictions.csv",
        ),
        "distances": Kind(
            "how far forget samples of the first of `classes` lie from each class's retain samples",
            _distances,
            of_class=True,
            derives=DISTANCES,
            reported="distances.csv",
        ),
        "theory": Kind("the quantities of Theorem 1 and Lemma 1, measured", _listed, derives=VIEWS),
        "hyperparameters": Kind("every setting of every method", _first_trial, shows_results=False),
        "claims": Kind(
            "the paper's claims, with verdicts", by_epoch=True, reported="unlearning.csv", from_gathered=True
        ),
        "verdicts": Kind("the claims in summary: how many verdicts of each kind", by_epoch=True, from_gathered=True),
        "tuning": Kind("gaps with the study's own values and with tuned ones", _tuned_and_not, by_epoch=True),
        "search": Kind(
            "what the search for hyperparameters found, and what each method gained", _searched, shows_results=False
        ),
        "power": Kind("trials needed to detect a difference to the first of `methods`", _power, by_epoch=True),
        "effort": Kind("hours, memory and machines", from_gathered=True),
        "audit": Kind(
            "average gap beside audits of every sample, with the readings of a perfect unlearner",
            _audited,
            by_epoch=True,
        ),
        "relearning": Kind(
            "how soon a model relearns what it forgot when it is trained on all images", _relearned, derives=RELEARNING
        ),
        "metrics": Kind("how far each metric and audit can be trusted", _audited, by_epoch=True),
        "scale": Kind(
            "gaps, what is kept, ranks and primary claims of several studies, side by side with the paper's numbers",
            of_studies=True,
        ),
    },
    "figures": {
        "improvement": Kind("how much `+cl` lowers each method's average gap", _improvement, by_epoch=True),
        "cost": Kind(
            "average gap against computation; list a method with several `@epochs=` to join whole runs by a line", _cost
        ),
        "stages": Kind("average gap after each stage of sequential removal", _stages),
        "ablation": Kind("average gap against the one setting in which the methods differ", _ablation, by_epoch=True),
        "predictions": Kind(
            "what forget samples of the first of `classes` are taken for, as a heat map", _predictions, of_class=True
        ),
        "theory": Kind("how often two views of an image lie apart", _listed, derives=VIEWS),
        "audit": Kind("average gap against an audit of every sample", _audited, by_epoch=True),
        "relearning": Kind(
            "accuracy on forgotten images while a model is trained on all images", _relearned, derives=RELEARNING
        ),
        "scale": Kind("ranks by average gap and by what is kept, study by study and in the paper", of_studies=True),
        "memorisation": Kind("whether memorised samples are the ones not forgotten", _memorised),
        "maps": Kind("t-SNE maps of features, of trial 0; the page shows UMAP too", _first_trial, derives=MAPS),
    },
}
