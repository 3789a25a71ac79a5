"""What every test gets: one thread, no GPU, a copy of a small prepared project, and clean registries."""

import contextlib
import gc
import os
import shutil
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest

from tests.project import ORIGINAL, Project, without_new_plugins
from tests.shared import Shared

# The shell's settings must not change what tests, and the processes that they start, see.
for variable in [name for name in os.environ if name.startswith(("BENCHMARK_", "SNAKEMAKE_"))]:
    del os.environ[variable]
for variable in ("FORCE_COLOR", "TTY_COMPATIBLE"):
    os.environ.pop(variable, None)
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1"
# A GPU belongs to one process at a time, and this one starts others; tests of devices choose their own.
os.environ["BENCHMARK_DEVICE"] = "cpu"
# Before anything imports torch.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

# No test cuts the power, and a flush to the disk takes milliseconds.
os.fsync = lambda file: None

hypothesis.settings.register_profile("short", max_examples=50, deadline=None)
hypothesis.settings.load_profile("short")


@pytest.hookimpl(wrapper=True, optionalhook=True)  # of xdist
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    # One more than there are cores, since a worker waits for the workflow it starts; two more take longer.
    return 1 + (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Files with slow tests come first: a long test at the end would leave all other workers idle.
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    # Imported modules stay, and each garbage collection that visits them costs a second.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.hookimpl(tryfirst=True)  # before hypothesis looks
def pytest_configure(config: pytest.Config) -> None:
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = f"{datetime.now(UTC):%Y%m%d}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    seed = config.option.hypothesis_seed
    terminalreporter.write_line(f"Random inputs, which change daily, were those of --hypothesis-seed={seed}")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny study: its digits, its splits and its trained Original."""
    from benchmark.study.prepare import prepare, split

    root = tmp_path_factory.mktemp("prepared")
    with contextlib.chdir(root):
        project = Project(root)
        study = project.study()
        prepare(study, "digits")
        for scenario in ("random-10", "class-8", "sequential-2x10"):
            split(study, "digits", scenario, 0)
        project.run(study, ORIGINAL)
    return root


@pytest.fixture(scope="session")
def shared(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Undisturbed runs of the prepared project, for tests that only read their results."""
    return Shared(shutil.copytree(prepared, tmp_path_factory.mktemp("shared") / "project"))


@pytest.fixture
def project(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the prepared project, as the working directory."""
    return Project.copied(prepared, tmp_path / "project", monkeypatch)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project, as the working directory."""
    root = tmp_path / "empty"
    root.mkdir()
    monkeypatch.chdir(root)
    return Project(root)


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """Forget what a test registers and which plugins it imports."""
    with without_new_plugins():
        yield
