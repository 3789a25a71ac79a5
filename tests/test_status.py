"""The status of a study, read from the files that runs leave."""

import json
import logging
import os
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from benchmark import paths
from benchmark.files import write_record
from benchmark.report.markdown import text as markdown
from benchmark.training import progress
from benchmark.training.loop import Interrupted
from benchmark.workflow.session import Session, aligned
from benchmark.workflow.status import FRESH_SECONDS, State, spell, state_of, status, time_left
from tests.pool import run_folder
from tests.project import CELL, ORIGINAL, call

FT = f"{CELL}/ft/trial-0"
DEAD = 2**22  # above the kernel's highest number of a process
HOST = os.uname().nodename
FT_ONLY = {"trials": 1, "tables": {"table2": {"methods": ["ft"]}, "table8": None}}


def test_a_table_on_a_terminal_has_its_numbers_below_their_headings_even_beside_empty_entries():
    table = "**Gaps**\n\n| | UA | TA |\n| :-- | --: | --: |\n| FT | | \\[2\\] |\n| CoUn | **1.0** | |\n"
    assert aligned(table.replace("| |", "|  |")) == [
        *("", "Gaps"),
        *("         UA   TA", "  FT         [2]", "  CoUn  1.0"),
    ]


def test_what_markdown_escapes_is_plain_on_a_terminal_and_ends_no_entry():
    plain = "a \\ b | c * 5$ ~e~ <f> [g] _h_"
    table = f"| {markdown(plain)} | UA |\n| :-- | --: |\n| FT | 1 |\n"
    assert [re.split("  +", line.strip()) for line in aligned(table)] == [[plain, "UA"], ["FT", "1"]]


@pytest.fixture
def study(project):
    """A study of Original, already run, Retrain and FT."""
    return project.study(FT_ONLY)


def under_way(study, method, touched: float = 0, **changes):
    """Write the note of a pretended job, last touched that many seconds ago, and return its run's state."""
    run = study.run(f"{CELL}/{method}/trial-0")
    path = paths.work(run.pool_path) / paths.PROGRESS
    path.parent.mkdir(parents=True, exist_ok=True)
    note = {"epoch": 3, "epochs": 10, "first_epoch": 0, "seconds": 30.0, "process": os.getpid(), "host": HOST}
    note |= {"started": iso_time(time.time() - 30), "measured": {"loss": 0.123456, "ra": 98.7654}}
    path.write_text(json.dumps({key: value for key, value in (note | changes).items() if value is not None}))
    os.utime(path, (time.time() - touched,) * 2)
    return state_of(study, run)


def iso_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def record_of(study, name, **changes) -> dict:
    """Write a run's record with changes; return what it was."""
    path = run_folder(study, name) / paths.RUN
    record = json.loads(path.read_text())
    if changes:
        write_record(path, {key: value for key, value in record.items() if key != "digest"} | changes)
    return record


def test_a_job_runs_while_its_process_does_and_on_another_host_while_its_note_is_fresh(study):
    assert under_way(study, "ft").state == "running"
    assert under_way(study, "ft", process=DEAD).state == "interrupted"
    # Last touched before this process began: another process had its number.
    born = psutil.Process().create_time()
    assert under_way(study, "ft", touched=time.time() - born + 60, started=iso_time(born)).state == "interrupted"
    fresh = under_way(study, "ft", host="node7", process=DEAD, touched=FRESH_SECONDS - 30)
    assert (fresh.state, fresh.remark) == ("running", "epoch 3 of 10 on node7")
    assert under_way(study, "ft", host="node7", touched=FRESH_SECONDS + 30).state == "interrupted"


def test_an_incomplete_note_is_ignored(study):
    for lacking in ("epoch", "epochs", "first_epoch", "started", "seconds", "process", "host"):
        assert under_way(study, "ft", **{lacking: None}).state == "left", lacking
    under_way(study, "ft")
    path = paths.work(study.run(FT).pool_path) / paths.PROGRESS
    path.write_text(path.read_text()[:40])
    assert state_of(study, study.run(FT)).state == "left"


def test_a_note_that_cannot_be_written_stops_no_run(tmp_path):
    (tmp_path / "file").touch()
    note = progress.Note(tmp_path / "file" / paths.PROGRESS, 3, datetime.now(UTC))
    note.write(SimpleNamespace(offset=0, epoch=1, history=[]), 0.5)
    note.path = tmp_path / paths.PROGRESS
    note.write(SimpleNamespace(offset=0, epoch=2, history=[]), 1.0)
    assert json.loads(note.path.read_text())["epoch"] == 2


def test_a_run_that_left_only_a_log_is_judged_by_it(study):
    log = paths.log(study.run(FT).pool_path)
    log.parent.mkdir(parents=True, exist_ok=True)
    old, begun = FRESH_SECONDS + 30, "ended before training began (log: "
    for text, age, state, remark in [
        ("", 0, "running", "starting"),
        ("", old, "left", ""),
        ("$ python -m benchmark run  # process 7 on node7\n", 0, "running", "starting on node7"),
        ("$ python -m benchmark run  # process 7 on node7\n", old, "failed", begun),
        (f"$ python  # process {os.getpid()} on {HOST}\nwaiting for a lock\n", 0, "running", "starting on"),
        (f"$ python  # process {DEAD} on {HOST}\n", 0, "failed", begun),
        ("$ python -m benchmark run\nfinished\n", 0, "left", "its results are gone"),
        ("$ python -m benchmark run\nerror: no space\n", 0, "failed", "error: no space (log: results/logs/digits/"),
    ]:
        log.write_text(text)
        os.utime(log, (time.time() - age,) * 2)
        current = state_of(study, study.run(FT))
        assert current.state == state and current.remark.startswith(remark), (text, age, current)


def test_looking_at_a_damaged_run_moves_nothing(study):
    run, path = study.run(ORIGINAL), run_folder(study, ORIGINAL) / paths.RUN
    stamp = record_of(study, ORIGINAL)["stamp"]
    record_of(study, ORIGINAL, stamp=stamp | {"data": "0" * 16})
    other_images = path.read_bytes()
    for content in (other_images, other_images[:-9]):
        path.write_bytes(content)
        first, second = state_of(study, run), state_of(study, run)
        assert first.state == second.state == "damaged" and first.remark == second.remark
        assert f"damaged: {ORIGINAL}: {path}" in status(study)[0]
        assert path.read_bytes() == content and list(path.parent.glob("run.json.*")) == []


def test_a_run_without_weights_is_done_a_diverged_one_has_ended_and_one_without_samples_is_left(study):
    run, folder = study.run(ORIGINAL), run_folder(study, ORIGINAL)
    (folder / paths.MODEL).unlink()
    assert state_of(study, run).state == "done"
    record_of(study, ORIGINAL, status="diverged")
    assert state_of(study, run).state == "diverged" and "1 diverged" in status(study)[0]
    (folder / paths.SAMPLES).unlink()
    current = state_of(study, run)
    assert (current.state, current.remark) == ("left", f"{folder / paths.SAMPLES} is missing")


def test_a_done_run_says_what_computed_it_and_when_it_ended_but_not_in_an_earlier_versions_record(study):
    done, record = state_of(study, study.run(ORIGINAL)), record_of(study, ORIGINAL)
    assert done.machine == (record["stamp"]["device"], "float32") and done.ended == record["ended"]
    del record["ended"], record["digest"]
    write_record(run_folder(study, ORIGINAL) / paths.RUN, record)
    assert state_of(study, study.run(ORIGINAL)) == replace(done, ended="")


def test_a_real_job_notes_its_progress_before_its_first_epoch_after_each_and_when_resumed(project, monkeypatch):
    study = project.study(FT_ONLY, {"hyperparameters": {"*": {"unlearning": {"epochs": 3}}}})
    write, notes = progress.Note.write, []

    def write_and_look(note, *arguments):
        write(note, *arguments)
        state = state_of(study, study.run(FT))
        notes.append((state.state, state.note["first_epoch"], state.note["epoch"], bool(state.note["measured"])))

    monkeypatch.setattr(progress.Note, "write", write_and_look)
    with pytest.raises(Interrupted):
        project.job(study, FT, stop_at=8).go()  # 5 steps an epoch, and a pause at its end: in the second epoch
    assert project.job(study, FT).go() == "finished"
    running = [("running", 0, 0, False), ("running", 0, 1, True), ("running", 1, 1, True)]
    assert notes == [*running, ("running", 1, 2, True), ("running", 1, 3, True)]
    assert state_of(study, study.run(FT)).state == "done"


def test_a_job_keeps_its_note_fresh_between_two_epochs(project, study, monkeypatch):
    monkeypatch.setattr(progress, "HEARTBEAT_SECONDS", -1.0)
    beat, ages = progress.Note.beat, []

    def beat_when_old(note):
        os.utime(note.path, (0, 0))
        beat(note)
        ages.append(time.time() - note.path.stat().st_mtime)

    monkeypatch.setattr(progress.Note, "beat", beat_when_old)
    assert project.job(study, FT).go() == "finished"
    assert ages and max(ages) < 60


def test_a_failed_preparation_is_named_with_its_remedy_and_sets_the_exit_status(empty):
    study = empty.study(FT_ONLY)
    assert call("status", "tiny").returncode == 0  # nothing has been done, and nothing is wrong
    log = paths.log(f"prepare/{study.dataset_folder('digits').name}")
    log.parent.mkdir(parents=True)
    for text, succeeds in [
        ("", True),
        ("digits.zip:  40%\n", True),  # on its way
        ("error: datasets.digits.path: there is no folder images\n\n", False),
        ("Traceback (most recent call last):\n  ...\nzlib.error: bad data\n", False),
    ]:
        log.write_text(text)
        text, succeeded = status(study)
        assert succeeded == succeeds and (f"(log: {log}); once that is fixed" in text) != succeeds, text
    for options in ([], ["--watch"]):  # there is nothing to watch
        done = call("status", "tiny", *options)
        assert done.returncode == 1 and "failed: prepare digits: zlib.error: bad data (log: " in done.stdout


def test_durations_have_two_units():
    spelled = {0: "0 s", 59.4: "59 s", 59.6: "1 min 0 s", 200: "3 min 20 s", 18725: "5 h 12 min", 90000: "1 d 1 h"}
    assert {seconds: spell(seconds) for seconds in spelled} == spelled


def test_the_time_left_of_a_running_job_follows_from_its_own_pace(study):
    # 3 of 10 epochs in 30 seconds: 70 more. Resumed after the second: one epoch in 30 seconds, 7 more take 210.
    assert under_way(study, "ft").seconds_left == pytest.approx(70, abs=2)
    assert under_way(study, "ft", first_epoch=2).seconds_left == pytest.approx(210, abs=2)
    assert under_way(study, "ft", first_epoch=3).seconds_left is None
    # An epoch that takes longer than those before leaves no negative time.
    assert under_way(study, "ft", started=iso_time(time.time() - 500)).seconds_left == 0


def test_time_left_follows_from_finished_runs_of_the_method_and_how_many_run_at_once(project):
    recipes = {"training": {"epochs": 2}, "unlearning": {"epochs": 2}, "salun": {"epochs": 4}}
    tables = {"table2": {"methods": ["ft", "salun"]}, "table8": None}
    study = project.study({"hyperparameters": {"*": recipes}, "trials": 2, "tables": tables})

    def state(method, trial, state, seconds=None):
        return State(study.run(project.name(method, trial=trial)), state, seconds=seconds)

    assert time_left([state("original", 0, "left"), state("ft", 0, "left")], 2) is None
    finished = [state("original", 0, "done", 40.0), state("ft", 0, "done", 20.0)]
    assert time_left([*finished, state("ft", 1, "left")], 1) == 20
    # An epoch of a method without a finished run takes the mean of those of its dataset and architecture: 15 seconds.
    assert time_left([*finished, state("salun", 0, "left")], 1) == 60
    assert time_left([*finished, state("ft", 1, "left"), state("salun", 0, "failed")], 1) == 80
    # What is not trained says nothing of the pace of what is.
    ft = study.run(project.name("ft"))
    scored = replace(
        ft, name=study.run(project.name("not")).name, settings=ft.settings.model_copy(update={"epochs": 0})
    )
    assert time_left([*finished, State(scored, "done", seconds=4.0), state("salun", 0, "left")], 1) == 60
    # Nor does it keep the time left unknown.
    assert time_left([*finished, State(scored, "left"), state("ft", 1, "left")], 1) == 20
    assert time_left([State(scored, "done", seconds=4.0), state("ft", 1, "left")], 1) is None
    # Those of the latest run's machine come first, even if they are of another method.
    elsewhere = replace(finished[1], machine=("slow", "float32"), seconds=200.0, ended="2026-01-01T00:00:00+00:00")
    here = replace(finished[0], machine=("fast", "bfloat16"), ended="2026-01-02T00:00:00+00:00")
    assert time_left([elsewhere, here, state("ft", 1, "left")], 1) == 40
    assert time_left([elsewhere, state("ft", 1, "left")], 1) == 200
    # Two at once halve it, but no run is shared between two.
    assert time_left([*finished, state("ft", 1, "left"), state("salun", 0, "left")], 2) == 60
    assert time_left([*finished, *[state("ft", 1, "left")] * 8], 4) == 40


def test_status_is_described_in_words(study):
    lines = status(study)[0].splitlines()
    assert lines[0] == "study tiny: 3 runs" and "      1 done" in lines and "      2 left" in lines
    assert re.fullmatch(r"\d+ files to be made by 'all', such as figures/tiny/index.html", lines[-2])
    assert re.fullmatch(r"time left: (\d+ min )?\d+ s, 1 at once", lines[-1])
    under_way(study, "ft", host="node7")
    assert f"running: {FT}: epoch 3 of 10 on node7" in status(study)[0]


def test_a_study_that_was_stopped_is_not_called_failed(study):
    dag = SimpleNamespace(needrun_jobs=lambda: [SimpleNamespace(rule=SimpleNamespace(name="run"))], jobid=id)
    text = Session(study).failure(dag)
    assert "Study tiny was stopped.\nNot reached: 1 run\nThe same command continues" in text and "failed" not in text


def test_what_stopped_snakemake_itself_is_said(study):
    dag, session = SimpleNamespace(needrun_jobs=list, jobid=id), Session(study)
    for exception in ("RuleException", "WorkflowError"):  # the first is of a job, and counted as such
        event = {"msg": f"{exception}:\nsecond line", "event": "error", "exception": exception}
        session.filter(logging.makeLogRecord(event | {"msg": f"a fault of {exception}\nsecond line"}))
    assert "Study tiny was stopped: a fault of WorkflowError\nThe same command" in session.failure(dag)


def test_a_job_that_was_stopped_is_not_called_failed_either(study):
    jobs = [SimpleNamespace(rule=SimpleNamespace(name=rule)) for rule in ("run", "draw_table2", "collect")]
    session, log = Session(study), Path("log")
    for job, line in zip(
        jobs, ("stopped by SIGTERM in epoch 2; state saved", "error: a fault", "$ a job"), strict=True
    ):
        if job is jobs[2]:
            session.filter(logging.makeLogRecord({"msg": "Terminating processes on user request, this might take"}))
        log.write_text(f"{line}\n")
        event = {"event": "job_error", "jobid": id(job), "rule_name": job.rule.name, "rule_msg": None, "log": [log]}
        assert session.filter(logging.makeLogRecord(event | {"input": [], "output": []}))
    stopped = session.failure(SimpleNamespace(needrun_jobs=lambda: [jobs[0], jobs[2]], jobid=id))
    assert "Study tiny was stopped.\nNot reached: 1 run, the gathered results\nThe same command continues" in stopped
    failed = session.failure(SimpleNamespace(needrun_jobs=lambda: jobs, jobid=id))
    assert "1 job of study tiny failed:\n  draw_table2: error: a fault" in failed and "Not reached: 1 run" in failed
