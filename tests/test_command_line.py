"""The command line: what there is to call and to ask for, what each says, and how a mistake ends."""

from __future__ import annotations

import sys

import pytest

from benchmark import files, paths
from benchmark.__main__ import app, main
from benchmark.study.outputs import KINDS
from tests.places import run_folder

COMMANDS = sorted(command.callback.__name__ for command in app.registered_commands)
CELL = "digits/convnet/random-10"


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line in this process; return exit status, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["python -m benchmark", *arguments])
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(bool(end.code))
            if isinstance(end.code, str):  # which the interpreter prints
                print(end.code, file=sys.stderr)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


# --- nothing gets lost --------------------------------------------------------------------------------------------


def test_every_command_is_there():
    promised = (
        "audit bench claims collect cost embed figure memorisation page prepare run schema split status table tune "
        "unused verify"
    )
    assert promised.split() == COMMANDS


def test_every_kind_of_table_and_figure_is_there():
    tables = "unlearning predictions distances theory hyperparameters claims verdicts tuning power effort audit metrics"
    figures = "improvement cost stages ablation theory audit memorisation maps"
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


def test_a_mistake_is_one_line_and_status_2(project, call):
    project.study()
    for arguments, message in [
        (f"run tinny {CELL}/ft/trial-0", "unknown study 'tinny'; did you mean 'tiny'?"),
        (f"run ../tiny {CELL}/ft/trial-0", "study '../tiny': accepted is the name of a file"),
        ("run tiny ft", "run 'ft': accepted is 'dataset/arch/scenario/method/trial-<number>'"),
        (f"run tiny {CELL}/fft/trial-0", "unknown method 'fft'; did you mean 'ft'?"),
        (f"run tiny {CELL}/ft/trial-9", "the study has 2 trials"),
        (f"run tiny {CELL}/ft@lr=-1/trial-0", "lr: '-1': input should be greater than 0"),
        (f"run tiny {CELL}/original/trial-0", "is called 'digits/convnet/original/trial-0'"),
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
        status, _, errors = call(*arguments.split())
        assert status == 2 and message in errors, (arguments, errors)
        assert errors.startswith("error: ") and errors.endswith("\n") and errors.count("\n") == 1


def test_a_mistake_has_no_traceback_in_a_process_of_its_own(project):
    project.study()
    done = project.command("run", "tiny", "nonsense")
    assert done.returncode == 2 and done.stderr.startswith("error: run 'nonsense'")
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1


def test_wrong_usage_is_status_2(call):
    for arguments in ("run", "run tiny", "nothing", "run tiny a b", "run --no"):
        status, _, errors = call(*arguments.split())
        assert status == 2 and "Usage:" in errors and "Traceback" not in errors, arguments


def test_a_folder_that_cannot_be_written_is_one_line(project, call, monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device", "results/splits")

    project.study()
    monkeypatch.setattr(files.tempfile, "mkstemp", full)
    status, _, errors = call("split", "tiny", "digits", "random-10")
    assert (status, errors) == (1, "error: No space left on device: results/splits\n")


def test_the_stages_by_hand_give_a_finished_run(empty, call):
    empty.study()
    for arguments in (
        "prepare tiny digits",
        "split tiny digits random-10",
        "run tiny digits/convnet/original/trial-0",
        f"run tiny {CELL}/coun/trial-0",
    ):
        status, printed, errors = call(*arguments.split())
        assert status == 0, errors
    assert printed.splitlines()[-1] == "finished"
    assert f"run tiny {CELL}/coun/trial-0" in printed.splitlines()[0]
    assert (run_folder("tiny", f"{CELL}/coun/trial-0") / paths.RUN).is_file()
    assert "2 done" in call("status", "tiny")[1]
    # Done again only when asked to.
    assert "already finished: results/runs/" in call("run", "tiny", f"{CELL}/coun/trial-0")[1]
    assert "already finished" not in call("run", "tiny", f"{CELL}/coun/trial-0", "--again")[1]


def test_what_no_study_shows_is_listed_and_deleted_when_asked(project, call):
    study, other = project.study(), project.unlearning(lr=0.07)
    used, old = run_folder(study, project.original), run_folder(other, project.name("ft"))
    project.run(other, project.name("ft"))
    project.study()
    # The other is the split of a sequential scenario, which the tests' project has drawn.
    for arguments, said in (("unused", "--remove deletes them"), ("unused --remove", "MB): deleted")):
        status, printed, _ = call(*arguments.split())
        assert status == 0 and str(old) in printed and str(used) not in printed and said in printed
    assert used.exists() and not old.exists()
    assert call("unused")[1].startswith("every run, split and derived file")
