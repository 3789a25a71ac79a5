"""Scenarios whose forgotten samples a file names: memorisation scores, and a user's own lists."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.files import read_record, write_record, written_origin
from benchmark.results import records
from benchmark.results.sample_outputs import write_scores
from benchmark.study.prepare import split
from tests.pool import run_folder
from tests.project import call, mistake

LIST = Path("mine.txt")


def listed(project, *lines: int):
    LIST.write_text("".join(f"{line}\n" for line in lines))
    cell = "digits/convnet/listed-mine"
    return project.study({"lists": {"mine": str(LIST)}, "tables": {"table2": {"cells": [cell]}}})


def test_a_list_is_a_scenario_and_its_content_determines_the_run(project):
    name = project.name("retrain", "listed-mine")
    study = listed(project, 3, 7, 150)
    run, file = study.run(name), split(study, "digits", "listed-mine", 0)
    assert records.forget_rows(study, run)["index"].tolist() == [3, 7, 150]
    end = project.run(study, name)
    assert sorted(end.trainer.context.forget.tolist()) == [3, 7, 150] and len(end.trainer.context.retain) == 157
    changed = listed(project, 3, 7)
    assert changed.run(name).fingerprint != run.fingerprint
    assert paths.split(changed.split("digits", "listed-mine", 0).pool_path) != file
    unlisted = [study.run(project.name(method)).origin for method in ("retrain", "ft")]
    assert [project.study().run(project.name(method)).origin for method in ("retrain", "ft")] == unlisted


def test_a_list_that_leaves_nothing_or_less_than_a_batch_is_refused_when_the_study_is_read(project):
    for count, message in [
        (160, r"lists\.mine: mine\.txt lists all 160 training images, so that nothing is retained"),
        (129, "batch_size: 32: accepted is at most the 31 retain images"),
    ]:
        with pytest.raises(BadInput, match=message):
            listed(project, *range(count))
    assert listed(project, *range(128))


def test_what_is_derived_from_original_depends_on_what_its_scenario_forgets(project):
    def derived(scenario: str, **changes) -> str:
        """Return where the maps of Original of the last trial are kept."""
        study = project.study(changes, {"tables": {"table2": {"cells": [f"digits/convnet/{scenario}"]}}})
        return study.derive("maps", study.run(study.runs()[0].name), scenario).pool_path

    original = project.original
    for one, other in [
        ({"lists": {"mine": "one.txt"}}, {"lists": {"mine": "two.txt"}}),
        ({"keep_twins": False}, {"keep_twins": True}),
    ]:
        Path("one.txt").write_text("1\n")
        Path("two.txt").write_text("2\n")
        scenario = "listed-mine" if "lists" in one else "random-10"
        assert derived(scenario, **one) != derived(scenario, **other)
    split_too, alone = (project.study({"resample": drawn}) for drawn in (["original", "split"], ["original"]))
    second = original.replace("trial-0", "trial-1")
    paths_of = [study.derive("maps", study.run(second), "random-10").pool_path for study in (split_too, alone)]
    first = [study.derive("maps", study.run(original), "random-10").pool_path for study in (split_too, alone)]
    assert len(set(paths_of)) == 2 and len(set(first)) == 1


def test_a_split_that_no_run_uses_is_not_drawn(project):
    project.study()  # of two trials, which forget the same
    for trial in ("1", "7", "-1"):
        line = mistake("split", "tiny", "digits", "random-10", "--", trial)
        assert f"trial {trial} of digits/random-10: accepted is 0, whose draw" in line
    project.study({"resample": ["split"]})
    assert call("split", "tiny", "digits", "random-10", "1").returncode == 0
    assert "accepted is 0 to 1" in mistake("split", "tiny", "digits", "random-10", "2")


def test_a_scenario_without_its_file_is_refused_with_the_setting_that_names_it(project):
    with pytest.raises(BadInput, match=r"lists\.mine: missing; scenario 'listed-mine' needs a file there"):
        project.study({"tables": {"table2": {"cells": ["digits/convnet/listed-mine"]}}})
    with pytest.raises(BadInput, match=r"memorisation\.digits: there is no file scores\.csv"):
        cells = ["digits/convnet/memorised-10"]
        project.study({"memorisation": {"digits": "scores.csv"}, "tables": {"table2": {"cells": cells}}})


def test_one_studys_scores_choose_what_another_forgets(project):
    cell = "digits/convnet/random-50"
    cells = {"table2": {"cells": [cell], "methods": ["original"]}, "table8": None}
    study = project.study({"trials": 6, "resample": ["split"], "tables": cells})
    for trial in range(6):
        split(study, "digits", "random-50", trial)
        project.run(study, project.name("retrain", "random-50", trial))
    printed = project.command("memorisation", "tiny", cell, "scores.csv", check=True).stdout
    scores = pd.read_csv(printed.strip(), comment="#")
    assert scores["index"].tolist() == list(range(160)) and 0 < scores["score"].notna().sum() < 160
    known = scores["score"].dropna()
    assert known.between(-1, 1).all() and known.mean() > 0
    # A Retrain that diverged says nothing: without the sixth, the scores are those of five trials.
    with_five = write_scores(project.study({"trials": 5, "resample": ["split"], "tables": cells}), cell, Path("5.csv"))
    record = run_folder(study, project.name("retrain", "random-50", 5)) / paths.RUN
    write_record(record, read_record(record) | {"status": "diverged"})
    study = project.study({"trials": 6, "resample": ["split"], "tables": cells})
    Path("6.csv").write_text(Path("scores.csv").read_text())  # older scores
    with pytest.raises(BadInput, match=r"6.csv holds other scores .*: accepted is a new file, or --replace"):
        write_scores(study, cell, Path("6.csv"))
    for replace in (True, False):  # the same scores may be written again
        assert write_scores(study, cell, Path("6.csv"), replace).read_text() == with_five.read_text()

    scenarios = ["memorised-10", "typical-10"]
    tables = {"table2": {"cells": [f"digits/convnet/{scenario}" for scenario in scenarios], "methods": ["ft"]}}
    chosen = project.study({"memorisation": {"digits": "scores.csv"}, "tables": tables}, name="chosen")
    highest, lowest = (
        records.split_rows(chosen, chosen.split("digits", scenario, 0))["index"].to_numpy()
        for scenario in scenarios
        if split(chosen, "digits", scenario, 0)
    )
    assert len(highest) == len(lowest) == 16 and not np.intersect1d(highest, lowest).size
    assert known[highest].min() >= known.drop(highest).max() and known[lowest].max() <= known.drop(lowest).min()
    assert written_origin(paths.split(chosen.split("digits", "typical-10", 0).pool_path))["twins"] == 0


def test_scores_without_enough_trials_are_refused(project):
    with pytest.raises(
        BadInput, match=r"resample: \[\]: all trials of .* forget the same samples: accepted are \[split\]"
    ):
        write_scores(project.study(), "digits/convnet/random-10", Path("scores.csv"))
    by_class = project.study(
        {"tables": {"table2": {"cells": ["digits/convnet/class-8"], "methods": ["ft"]}}}, name="classes"
    )
    with pytest.raises(
        BadInput, match="class-8: all trials forget the same samples: accepted is a cell that forgets at random"
    ):
        write_scores(by_class, "digits/convnet/class-8", Path("scores.csv"))
    for scenario, message in {
        "random-10": "1 trials do not retain and leave out any sample",
        "random-20": "no Retrain",
    }.items():
        study = project.study({"trials": 1, "resample": ["split"]})
        if scenario == "random-10":
            project.run(study, project.name("retrain"))
        with pytest.raises(BadInput, match=message):
            write_scores(study, f"digits/convnet/{scenario}", Path("scores.csv"))
    for path in (paths.study_file("tiny"), paths.CONFIG):
        with pytest.raises(BadInput, match=f"{path} is there and holds no scores: accepted is a new file, or one that"):
            write_scores(study, "digits/convnet/random-10", path)
