"""A study that resamples Original and the split in each trial, with fewer trials in one cell than in another."""

import yaml

from benchmark import paths
from benchmark.report.draw import draw_table
from benchmark.results import measured
from benchmark.results.gather import gather
from benchmark.study.prepare import split
from benchmark.workflow.targets import StudyFiles
from tests.pool import split_file

MIXED = """
trials: 2
resample: [original, split]
tables:
  table2: {methods: [original, ft]}
  table8: {methods: [original, ft], trials: 1}
  taken:
    {kind: predictions, cells: [digits/convnet/class-8, digits/convnet/random-10], methods: [ft], classes: ["8", "1"],
     trials: 1}
"""


def test_every_cell_has_an_original_and_a_split_for_each_of_its_trials(project) -> None:
    study = project.study(yaml.safe_load(MIXED))
    for run in study.runs():  # and only the splits that some run needs
        if not run.name.is_original:
            split(study, "digits", run.name.scenario, run.split_trial)
        project.run(study, str(run.name))
    frames = gather(study)
    for name in ("metrics", "predictions"):
        original = frames[name].query("method == 'original'")
        trials = set(zip(original["scenario"], original["trial"], strict=True))
        assert trials == {("random-10", 0), ("random-10", 1), ("class-8", 0)}
    assert len(measured.metrics(study, study.runs(), study.cells)) == len(frames["metrics"]) == 3 + 3 + 3
    for name in study.tables:
        draw_table(study, name)
    # Every split that a table reads is an input of it.
    first, second, eights = split_file(study), split_file(study, trial=1), split_file(study, "class-8")
    for name, splits in (("table2", {first, second}), ("table8", {eights}), ("taken", {eights, first})):
        assert {path for path in StudyFiles(study).shown_by(name) if paths.SPLITS in path.parents} == splits
