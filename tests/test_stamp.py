import subprocess
import sys
from functools import partial

import pytest

from benchmark import stamp
from benchmark.stamp import source_digest
from tests.test_published import git

SOURCE = '''
"""What it does."""
WIDTH, x = 3, {"a": 1}


def text(é):  # of a number
    """Docstring."""
    return f"{é!r:>{WIDTH}} {{é}} {x['a']} ü" "b" + rf"\\d{é}", f"""
 é {é
} {f'{é:0{WIDTH}d}'} # no comment
""", 1
'''


def test_a_processor_is_named_with_family_and_model_and_has_instructions_by_whole_names(monkeypatch, tmp_path):
    monkeypatch.setattr(stamp, "CPU_INFO", tmp_path / "cpuinfo")
    assert stamp.processor_name() and not stamp.instruction_sets()  # no such file, as on other systems
    first = "model name\t: AMD EPYC\nflags\t: fpu amx_bf16_next avx2\n"
    stamp.CPU_INFO.write_text(f"{first}cpu family : 25\nmodel\t: 17\n\nmodel name\t: another\nflags\t: amx_bf16\n")
    assert stamp.processor_name() == "AMD EPYC (family 25, model 17)"
    assert stamp.instruction_sets() == {"fpu", "amx_bf16_next", "avx2"}
    stamp.CPU_INFO.write_text(first)
    assert stamp.processor_name() == "AMD EPYC"


def test_the_code_of_a_run_includes_every_metric_that_a_job_uses():
    """`benchmark.metrics` holds the statistics of finished runs too, which change more often."""
    script = (
        "import sys, benchmark.training.job\n"
        "print(*(module.__file__ for name, module in sys.modules.items() if name.startswith('benchmark.metrics')))"
    )
    used = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    stamped = [str(file) for pattern in stamp.COMPUTES for file in stamp.PACKAGE.glob(pattern)]
    assert {*used} - {*stamped} == {str(stamp.PACKAGE / "metrics" / "samplewise" / "__init__.py")}  # has no code
    assert all([*stamp.PACKAGE.glob(pattern)] for pattern in stamp.COMPUTES)
    assert str(stamp.PACKAGE / "results" / "predictions.py") in stamped  # reads predictions in a model's place


@pytest.fixture
def begin():
    """What a process that begins does: it has asked for no commit. This process's own is asked for again afterwards."""
    stamp.package_commit.cache_clear()
    yield stamp.package_commit.cache_clear
    stamp.package_commit.cache_clear()


@pytest.fixture
def checkout(tmp_path, monkeypatch, begin):
    """A package in place of the running one, in a git repository that does not track it."""
    package = tmp_path / "benchmark"
    (package / "methods").mkdir(parents=True)
    for name in ("__init__.py", "seeds.py", "methods/ft.py"):
        (package / name).write_text(SOURCE)
    monkeypatch.setattr(stamp, "PACKAGE", package)
    run_git = partial(git, "-C", str(tmp_path))
    run_git("init")
    run_git("commit", "--allow-empty", "--message", "of something else")
    return tmp_path, run_git


def test_a_package_that_its_repository_does_not_track_has_no_commit(checkout, begin):
    _, git = checkout
    assert stamp.commit() == "unknown"
    git("add", ".")
    git("commit", "--message", "the package")
    begin()
    assert len(stamp.commit()) == 12


def test_an_uncommitted_method_shows_in_the_commit_and_the_code(checkout, begin, monkeypatch):
    root, git = checkout
    git("add", ".")
    git("commit", "--message", "the package")
    head, code = stamp.commit(), stamp.code.__wrapped__()
    monkeypatch.chdir("/")  # wherever Python runs
    (root / "mine.py").write_text(SOURCE)
    assert stamp.commit() == head and stamp.commit(root / "mine.py") == f"{head}+"
    (root / "benchmark" / "methods" / "mine.py").write_text(SOURCE)
    assert stamp.commit() == head  # this process does not run the new file
    begin()
    assert stamp.commit() == f"{head}+" and stamp.code.__wrapped__() != code
    git("add", ".")
    git("commit", "--message", "a method")
    assert stamp.commit() == f"{head}+"


def test_a_digest_of_code_is_the_same_for_every_python_and_ignores_comments_and_spaces(tmp_path):
    file = tmp_path / "a.py"

    def digest(text: str) -> str:
        file.write_text(text)
        return source_digest([file])

    assert digest(SOURCE) == "6ab09e1a0e737710"
    equivalent = SOURCE.replace("  # of a number", "").replace("Docstring", "Other").replace("3, {", "3,  {")
    assert digest(equivalent) == digest(f"# A comment.\n\n{SOURCE}") == digest(SOURCE)
    edits = (("3, {", "4, {"), ("# no", "no"), (" 1\n", " -1\n"), ("{{", "{{_"))
    assert len({digest(SOURCE), *(digest(SOURCE.replace(*edit)) for edit in edits)}) == 5
