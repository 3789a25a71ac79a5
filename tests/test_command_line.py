"""The command line: its commands, what each says, and how a mistake ends."""

import contextlib
import re
from pathlib import Path

import typer
from PIL import Image

from benchmark import __version__, paths
from benchmark.__main__ import app
from benchmark.commands.app import complete_output, complete_study
from benchmark.study.kinds import KINDS
from benchmark.study.study import Study
from tests.pool import run_folder
from tests.project import CELL, call, mistake

COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands)


def test_every_promised_command_and_kind_of_output_exists():
    promised = "arithmetic bench check cite collect compare cost embed figure init leaderboard list memorisation "
    promised += "merge new overview page prepare run schema score show split status table test tune unused verify"
    assert promised.split() == COMMANDS
    tables = "unlearning predictions distances theory hyperparameters claims verdicts tuning search power effort audit "
    tables += "relearning metrics scale"
    figures = "improvement cost stages ablation predictions theory audit relearning scale memorisation maps"
    assert {section: " ".join(kinds) for section, kinds in KINDS.items()} == {"tables": tables, "figures": figures}


def test_every_command_says_what_it_does_and_imports_no_slow_library(empty):
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
        (f"run tiny {CELL}/ft@lr=-1/trial-0", "lr: '-1': accepted is a number above 0"),
        (f"run tiny {CELL}/ft;touch/trial-0", "accepted is"),
        ("table tiny table3", "unknown table or figure 'table3'; did you mean 'table8'? Accepted: table2, table8"),
        ("figure tiny figure1", "unknown table or figure 'figure1'"),
        ("prepare tiny digts", "unknown dataset 'digts'; did you mean 'digits'?"),
        ("split tiny digits random-0", "scenario 'random-0': accepted are"),
        ("split tiny digits class-nine", "unknown class 'nine'"),
        ("status tinny", "unknown study 'tinny'"),
        ("collect tinny", "unknown study 'tinny'"),
        (f"embed tiny mops {CELL}/ft/trial-0 random-10", "did you mean 'maps'?"),
        ("embed tiny maps ft random-10", "run 'ft': accepted is"),
        ("table tiny table2", "has not been run"),
        ("figure tiny table2", "'table2' is a table, not a figure: 'python -m benchmark table tiny table2' draws it"),
        ("list method", "WHAT: unknown word 'method'; did you mean 'methods'?"),
    ]:
        line = mistake(*arguments.split())
        assert line.startswith("error: ") and message in line, (arguments, line)


def test_the_list_of_commands_describes_each_in_one_line():
    listed = call("--help", check=True).stdout.partition("Commands:\n")[2].splitlines()
    assert len(listed) > 15 and all(line.endswith(".") and not line.endswith("...") for line in listed)


def test_version_help_and_wrong_usage_are_answered():
    assert call("--version", check=True).stdout.strip() == __version__
    assert call("-h", check=True).stdout == call("--help", check=True).stdout
    assert "python -m benchmark check [OPTIONS]" in call("check", "-h", check=True).stdout
    for arguments in ("run", "run tiny", "nothing", "run tiny a b", "run --no"):
        done = call(*arguments.split())
        assert done.returncode == 2 and "Usage:" in done.stderr and "Traceback" not in done.stderr, arguments


def test_init_writes_a_valid_study_and_never_replaces_one(project):
    project.study()
    for number, folder in enumerate(("train/cat", "train/dog", "test/cat")):
        picture = Path("pictures 📷") / folder / "1.png"
        picture.parent.mkdir(parents=True)
        Image.new("RGB", (8 + number // 2, 8)).save(picture)
    for arguments, runs in ((("--extends", "tiny"), 7), (("--images", "pictures 📷"), 10)):
        name = f"new{runs}"
        assert f"check {name}" in call("init", name, *arguments, check=True).stdout
        file = paths.study_file(name)
        assert file.read_text().startswith("# yaml-language-server: $schema=schema.json\n")
        assert list(Study.load(name).outputs) == ["comparison"] and len(Study.load(name).runs()) == runs
        assert f"{file} exists already" in mistake("init", name, *arguments)
    assert Study.load("new10").datasets["images"].size == 32  # their sizes differ
    assert {run.settings.batch_size for run in Study.load("new10").runs()} == {2}  # there are few
    for taken in ("tiny-tuning", "reported", "leaderboard"):
        assert f"study '{taken}': a name that is taken" in call("init", taken, "--extends", "tiny").stderr
        assert not paths.study_file(taken).exists()
    printed = call("check", "new7", check=True).stdout
    assert printed == "new7: no mistakes. It shows comparison. Runs done: 1 of 7.\n"
    for arguments, message in [
        (("other", "--images", "nowhere"), "--images: there is no folder nowhere"),
        (("Other",), "study 'Other': accepted are lower-case words"),
        (("o" * 121,), "at most 120 characters"),
        (("1e5",), "study '1e5': snakemake's --config reads that as a number"),
        (("other", "--images", "config"), "--images: config has no folder 'train'; accepted is train/<class>/<image>"),
        (("other", "--extends", "tiny", "--images", "."), "--extends tiny and --images .: accepted is one of them"),
        (("other", "--extends", "tinny"), "did you mean 'tiny'?"),
        (("other", "--extends", ""), "study '': accepted is the name of a file"),
        (("other", "--images", ""), "--images '': accepted is a folder"),
    ]:
        assert message in mistake("init", *arguments) and not paths.study_file(arguments[0]).exists()


def test_whatever_a_study_may_name_is_listed_and_completed_by_the_shell(project):
    project.study({"description": "A small\none\n", "labels": {"ft": "Fine-tuning"}})
    (paths.CONFIG / ".#tiny.yaml").symlink_to("user@host.1234")  # an editor's lock
    (paths.CONFIG / "._tiny.yaml").write_text("junk")
    for kind, line in {
        "studies": ["tiny", "A small one"],
        "outputs": ["table8", "table", "unlearning"],
        "methods": ["ft", "Fine-tuning", "+cl", "Cross-entropy on the retain data."],
        "architectures": ["vgg16", "VGG-16"],
        "kinds": ["table", "power", "trials needed to detect a difference to the first of `methods`"],
        "datasets": ["digits", "digits", str(Study.load("tiny").dataset_folder("digits"))],
        "sources": ["folder", "A folder of images: `train/<class>/<image>` and `test/<class>/<image>`."],
        "settings": [
            "hyperparameters: coun: tau",
            "0.1",
            "temperature of InfoNCE (accepted: number above 0) (`tune` searches 0.03 to 0.3)",
        ],
    }.items():
        printed = call("list", kind, "tiny", check=True).stdout
        assert line in [re.split("  +", row) for row in printed.splitlines()], (kind, printed)
    with contextlib.chdir("/"):
        assert "error: no folder config here: accepted is a checkout" in mistake("list", "studies")
    (paths.CONFIG / "folder.yaml").mkdir()
    (paths.CONFIG / "odd.yaml").write_text("trails: 1\n")
    listed = call("list", "studies", check=True).stdout.splitlines()
    assert [line.split("  ")[0] for line in listed] == ["odd", "tiny"]  # a mistake in one hides no other
    assert "error: config/odd.yaml: trails: unknown key" in listed[0]
    assert complete_study("ti") == ["tiny"] and complete_study("x") == []
    command = typer.main.get_command(app).commands["table"]
    context = command.make_context("table", ["tiny", "table2"])
    assert complete_output(context, "table") == ["table2", "table8"]
    paths.REPORTED.mkdir(parents=True)
    (paths.REPORTED / "unlearning.csv").write_text("dataset,arch,scenario\ndigits,convnet,class-8\n")
    assert complete_output(context, "table8") == ["table8", "table8-vs-reported"]


def test_the_stages_by_hand_give_a_finished_run_that_is_repeated_only_on_request(empty):
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
    assert "already finished: results/runs/" in call("run", "tiny", coun).stdout
    assert "already finished" not in call("run", "tiny", coun, "--again").stdout


def test_unused_lists_what_no_study_shows_and_deletes_it_on_request(project):
    study, other = project.study(), project.unlearning(lr=0.07)
    used, old = run_folder(study, project.original), run_folder(other, project.name("ft"))
    project.run(other, project.name("ft"))
    project.study()
    written = paths.SPLITS / "digits" / "random-10" / ".trial-0-12345678.parquet.abc.parquet"
    written.touch()  # another process writes it just now
    aside = paths.SPLITS / "digits" / "random-10" / "trial-0-12345678.parquet.other"
    aside.touch()
    images = paths.DATA / "digits-12345678"
    images.mkdir()
    (images / "provenance.json").touch()
    (paths.DATA / "digits-87654321").symlink_to(images)  # on a larger disk
    damaged = run_folder(study, project.original) / f"{paths.SAMPLES}.damaged"
    damaged.touch()
    lost, kept = (
        paths.work(run_folder(one, project.name("ft")).relative_to(paths.RUNS).as_posix()) for one in (other, study)
    )
    for folder in (lost, kept):  # of jobs that were stopped
        folder.mkdir(parents=True, exist_ok=True)
        (folder / paths.CHECKPOINT).touch()
    parked = paths.parked_weights(lost.relative_to(paths.work("")).as_posix())
    parked.touch()
    # Also unused: the split of a sequential scenario, which the tests' project has drawn.
    for arguments, hint in (("unused", "--remove deletes them"), ("unused --remove", "MB): deleted")):
        printed = call(*arguments.split(), check=True).stdout
        assert all(str(path) in printed for path in (old, aside, images, damaged, lost, parked)) and hint in printed
        assert str(used) not in printed.splitlines()
    assert used.exists() and not old.exists() and not aside.exists() and written.exists()
    assert not lost.exists() and not parked.exists() and kept.exists()
    assert not images.exists() and not damaged.exists() and study.dataset_folder("digits").exists()
    assert call("unused").stdout.startswith("nothing in results/ and data/ is unused")
    paths.study_file("tiny").unlink()
    assert "config: no study there" in mistake("unused", "--remove") and used.exists()
