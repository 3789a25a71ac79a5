"""The command line: what there is to call and to ask for, what each says, and how a mistake ends."""

from __future__ import annotations

from benchmark import paths
from benchmark.__main__ import app
from benchmark.study.outputs import KINDS
from tests.places import run_folder
from tests.project import CELL, call

COMMANDS = sorted(command.callback.__name__ for command in app.registered_commands)


# --- nothing gets lost --------------------------------------------------------------------------------------------


def test_every_command_is_there():
    promised = (
        "audit bench claims collect cost embed figure page prepare run schema split status table tune unused verify"
    )
    assert promised.split() == COMMANDS


def test_every_kind_of_table_and_figure_is_there():
    tables = "unlearning predictions distances theory hyperparameters claims verdicts tuning power effort"
    figures = "improvement cost stages ablation predictions theory maps"
    assert {section: " ".join(kinds) for section, kinds in KINDS.items()} == {"tables": tables, "figures": figures}


# --- what each says -----------------------------------------------------------------------------------------------


def test_every_command_says_what_it_does_and_imports_no_library_that_takes_time(empty):
    heavy = ("torch", "numpy", "pandas", "sklearn", "matplotlib", "pyarrow", "snakemake")
    code = f"""
import contextlib, io, sys
from benchmark.__main__ import main
for command in {COMMANDS}:
    sys.argv = ["benchmark", command, "--help"]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as text:
        main()
    assert f"benchmark {{command}}" in text.getvalue() and len(text.getvalue().splitlines()) > 5, command
print([name for name in {heavy} if name in sys.modules])
"""
    assert empty.python(code) == "[]"


def test_a_mistake_is_one_line_and_status_2(project):
    project.study()
    for arguments, message in [
        (f"run tinny {CELL}/ft/trial-0", "unknown study 'tinny'; did you mean 'tiny'?"),
        (f"run ../tiny {CELL}/ft/trial-0", "study '../tiny': accepted is the name of a file"),
        ("run tiny ft", "run 'ft': accepted is 'dataset/arch/scenario/method/trial-<number>'"),
        (f"run tiny {CELL}/ft@lr=-1/trial-0", "lr: '-1': input should be greater than 0"),
        (f"run tiny {CELL}/ft;touch/trial-0", "accepted is"),
        ("table tiny table3", "unknown table or figure 'table3'; did you mean 'table8'? Accepted: table2, table8"),
        ("figure tiny figure1", "unknown table or figure 'figure1'"),
        ("figure tiny table2", "unknown figure 'table2'"),
        ("prepare tiny digts", "unknown dataset 'digts'; did you mean 'digits'?"),
        ("split tiny digits random-0", "scenario 'random-0': accepted are"),
        ("split tiny digits class-nine", "unknown class 'nine'"),
        ("status tinny", "unknown study 'tinny'"),
        ("collect tinny", "unknown study 'tinny'"),
        (f"embed tiny mops {CELL}/ft/trial-0 random-10", "did you mean 'maps'?"),
        ("embed tiny maps ft random-10", "run 'ft': accepted is"),
        ("table tiny table2", "has not been run"),
    ]:
        done = call(*arguments.split())
        assert done.returncode == 2 and message in done.stderr, (arguments, done.stderr)
        assert done.stderr.startswith("error: ") and done.stderr.endswith("\n") and done.stderr.count("\n") == 1


def test_wrong_usage_is_status_2():
    for arguments in ("run", "run tiny", "nothing", "run tiny a b", "run --no"):
        done = call(*arguments.split())
        assert done.returncode == 2 and "Usage:" in done.stderr and "Traceback" not in done.stderr, arguments


def test_the_stages_by_hand_give_a_finished_run_which_is_done_again_only_when_asked_for(empty):
    empty.study()
    coun = f"{CELL}/coun/trial-0"
    for arguments in (
        "prepare tiny digits",
        "split tiny digits random-10",
        "run tiny digits/convnet/original/trial-0",
        f"run tiny {coun}",
    ):
        printed = call(*arguments.split(), check=True).stdout
    assert printed.splitlines()[-1] == "finished" and f"run tiny {coun}" in printed.splitlines()[0]
    assert "2 done" in call("status", "tiny").stdout
    record = run_folder("tiny", coun) / paths.RUN
    before = record.read_text()
    assert "already finished: results/runs/" in call("run", "tiny", coun).stdout and record.read_text() == before
    assert "already finished" not in call("run", "tiny", coun, "--again").stdout
    assert record.read_text() != before  # the times; its samples are the same, so nothing is kept aside
    assert not list(record.parent.parent.glob("*.earlier*"))


def test_what_no_study_shows_is_listed_and_deleted_when_asked(project):
    study, other = project.study(), project.unlearning(lr=0.07)
    used, old = run_folder(study, project.original), run_folder(other, project.name("ft"))
    project.run(other, project.name("ft"))
    project.study()
    # The other is the split of a sequential scenario, which the tests' project has drawn.
    for arguments, hint in (("unused", "--remove deletes them"), ("unused --remove", "MB): deleted")):
        printed = call(*arguments.split(), check=True).stdout
        assert str(old) in printed and str(used) not in printed and hint in printed
    assert used.exists() and not old.exists()
    assert call("unused").stdout.startswith("every run, split and derived file")
