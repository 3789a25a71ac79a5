from __future__ import annotations

import sys

import pytest

from benchmark.__main__ import app, main
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
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def test_it_has_the_commands_that_people_are_told_of():
    promised = {"prepare", "run", "embed", "collect", "table", "figure", "page", "status"}
    assert promised <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(call, command):
    status, told, errors = call(command, "--help")
    assert (status, errors) == (0, "")
    assert f"benchmark {command}" in told and len(told.splitlines()) > 5


def test_help_imports_no_library_that_takes_time(empty):
    heavy = ("torch", "numpy", "pandas", "sklearn", "matplotlib", "pyarrow", "snakemake")
    code = f"""
import contextlib, io, sys
from benchmark.__main__ import main
for command in {COMMANDS}:
    sys.argv = ["benchmark", command, "--help"]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main()
print([name for name in {heavy} if name in sys.modules])
"""
    assert empty.python(code) == "[]"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "tinny", f"{CELL}/ft/trial-0"), "unknown study 'tinny'; did you mean 'tiny'?"),
        (("run", "../tiny", f"{CELL}/ft/trial-0"), "study '../tiny': accepted is the name of a file"),
        (("run", "tiny", "ft"), "run 'ft': accepted is 'dataset/arch/scenario/method/trial-<number>'"),
        (("run", "tiny", f"{CELL}/fft/trial-0"), "unknown method 'fft'; did you mean 'ft'?"),
        (("run", "tiny", f"{CELL}/ft/trial-9"), "the study has 2 trials"),
        (("run", "tiny", f"{CELL}/ft@lr=-1/trial-0"), "lr: '-1': input should be greater than 0"),
        (("run", "tiny", f"{CELL}/original/trial-0"), "is called 'digits/convnet/original/trial-0'"),
        (("run", "tiny", f"{CELL}/ft; touch x/trial-0"), "accepted is"),
        (("table", "tiny", "table3"), "unknown table 'table3'; did you mean 'table8'? Accepted: table2, table8"),
        (("figure", "tiny", "figure1"), "unknown figure 'figure1'"),
        (("prepare", "tiny", "digts"), "unknown dataset 'digts'; did you mean 'digits'?"),
        (("split", "tiny", "digits", "random-0"), "scenario 'random-0': accepted are"),
        (("split", "tiny", "digits", "class-nine"), "unknown class 'nine'"),
        (("status", "tinny"), "unknown study 'tinny'"),
        (("collect", "tinny"), "unknown study 'tinny'"),
        (("embed", "tiny", "mops", f"{CELL}/ft/trial-0", "random-10"), "did you mean 'maps'?"),
        (("embed", "tiny", "maps", "ft", "random-10"), "run 'ft': accepted is"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(project, call, arguments, told):
    project.study()
    status, _, errors = call(*arguments)
    assert status == 2 and told in errors
    assert errors.startswith("error: ") and errors.endswith("\n") and errors.count("\n") == 1


def test_a_mistake_has_no_traceback_in_a_process_of_its_own(project):
    project.study()
    done = project.command("run", "tiny", "nonsense")
    assert done.returncode == 2 and done.stderr.startswith("error: run 'nonsense'")
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("run",), ("run", "tiny"), ("nothing",), ("run", "tiny", "a", "b"), ("run", "--no")]
)
def test_wrong_usage_is_status_2(call, arguments):
    status, _, errors = call(*arguments)
    assert status == 2 and "Usage:" in errors and "Traceback" not in errors


def test_what_is_missing_on_disk_is_one_line_that_says_what_to_do(project, call):
    project.study()
    status, _, errors = call("run", "tiny", f"{CELL}/ft/trial-1")
    assert status == 0, errors
    status, _, errors = call("table", "tiny", "table2")
    assert status == 2 and "has not been run" in errors and errors.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_one_line(project, call, monkeypatch):
    from benchmark import files

    def full(**_):
        raise OSError(28, "No space left on device", "results/tiny")

    project.study()
    monkeypatch.setattr(files.tempfile, "mkstemp", full)
    status, _, errors = call("split", "tiny", "digits", "random-10")
    assert (status, errors) == (1, "error: No space left on device: results/tiny\n")


def test_the_stages_by_hand_give_a_finished_run(empty, call):
    from benchmark import paths

    empty.study()
    for arguments in (
        ("prepare", "tiny", "digits"),
        ("split", "tiny", "digits", "random-10"),
        ("run", "tiny", "digits/convnet/original/trial-0"),
        ("run", "tiny", f"{CELL}/coun/trial-0"),
    ):
        status, told, errors = call(*arguments)
        assert status == 0, errors
    assert told.splitlines()[-1] == "finished"
    assert f"run tiny {CELL}/coun/trial-0" in told.splitlines()[0]
    assert (run_folder("tiny", f"{CELL}/coun/trial-0") / paths.RUN).is_file()
    status, told, _ = call("status", "tiny")
    assert status == 0 and "2 done" in told
