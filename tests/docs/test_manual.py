"""The manual builds without a warning and holds what the code has; links of the README lead somewhere."""

import contextlib
import html
import io
import re
import shutil
import sys
import warnings
from pathlib import Path

import conf
import pytest
import yaml

import benchmark
from benchmark import paths
from benchmark.methods.base import Recipe
from benchmark.registry import ARCHITECTURES, METHODS, SOURCES
from benchmark.study.study import Study
from benchmark.workflow.cost import cost
from tests.docs.pages import PAGES, ROOT


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual's pages, built from a copy by the command that the pages name."""
    sphinx = pytest.importorskip("sphinx.cmd.build", reason="the manual needs what the extra `docs` brings")
    root = tmp_path_factory.mktemp("manual")
    shutil.copytree(ROOT / "docs", root / "docs", ignore=shutil.ignore_patterns("api", "__pycache__"))
    for name in ("README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, root)
    for name in ("benchmark", "figures", "paper_tables", "config", "profiles"):
        (root / name).symlink_to(ROOT / name)
    command = "sphinx-build -W --keep-going -b html docs build/docs"
    assert command in (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    # In this process, which has imported most of what the manual describes.
    errors = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(errors), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from one library about another
        patch.chdir(root)
        patch.setattr(sys, "path", [*sys.path])
        assert sphinx.main(["-q", *command.split()[1:]]) == 0, errors.getvalue()
    return root / "build" / "docs"


def text(page: Path) -> str:
    """Return a built page without its tags."""
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


@pytest.mark.ci
@pytest.mark.slow
def test_every_page_is_built_and_in_the_contents(manual: Path) -> None:
    contents = (manual / "index.html").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert (manual / f"{page.stem}.html").is_file()
        assert page.stem == "index" or f'href="{page.stem}.html"' in contents
    described = "".join(page.read_text(encoding="utf-8") for page in (manual / "api").glob("*.html"))
    inner = [ROOT / "benchmark" / room for room in conf.INNER_ROOMS]
    assert all(room.is_dir() for room in inner)
    for path in (ROOT / "benchmark").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if not path.stem.startswith("__"):
            left_out = any(path.is_relative_to(room) for room in inner)
            assert left_out != (f'id="module-{module}"' in described), module


@pytest.mark.ci
@pytest.mark.slow
def test_the_manual_describes_settings_architectures_and_sources(manual: Path) -> None:
    studies, methods = (plain(text(manual / f"{name}.html")) for name in ("studies", "methods"))
    for name, field in Study.model_fields.items():
        assert name in studies and plain(field.description or "") in studies
    assert "<!-- generated" not in (manual / "studies.html").read_text(encoding="utf-8")
    assert all(name in methods for name in (*ARCHITECTURES, *SOURCES))


@pytest.mark.ci
@pytest.mark.slow
def test_the_manual_describes_every_method_with_its_settings_and_ranges(manual: Path) -> None:
    page = (manual / "methods.html").read_text(encoding="utf-8")
    for name in METHODS:
        start = page.index(f"<h3>{name}<")
        section = html.unescape(re.sub(r"<[^>]+>", "", page[start : page.find("<section", start)]))
        described = METHODS.get(name).Settings.model_json_schema(by_alias=True)["properties"]
        for setting in described.keys() - Recipe.model_fields.keys():
            assert setting in section, (name, setting)
            low, high = described[setting].get("paper_range", (None, None))
            assert low is None or f"{low:g} to {high:g}" in section, (name, setting)


def plain(text: str) -> str:
    """Return text without what a typesetter changes: quotation marks and code marks."""
    return re.sub("[`\"'“”‘’\\\\*]", "", text)


def test_links_within_the_repository_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and target != "api/modules.rst":
                assert (page.parent / target).exists(), f"{page.name}: {target}"
                if page != ROOT / "README.md":  # the manual, built as web pages, has no others
                    assert not target.startswith("../") or target.endswith((".png", ".svg")), f"{page.name}: {target}"


def test_every_stop_of_the_walk_through_the_code_is_there() -> None:
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*\.py`) \| (`[^|]*`) \|", page, re.MULTILINE)
    assert len(rows) > 10
    for files, names in rows:
        sources = [ROOT / "benchmark" / file for file in re.findall("`(.+?)`", files)]
        text = "".join(source.read_text(encoding="utf-8") for source in sources)
        for part in re.findall(r"\w+", names):
            assert re.search(rf"^ *(def|class) {part}\b|^{part} = ", text, re.MULTILINE), (files, part)


def test_the_citation_and_the_changelog_know_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == benchmark.__version__
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert cited["references"][0]["title"].startswith("CoUn")
    assert f"## {benchmark.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("study", ["paper", "paper-block"])
def test_the_cost_table_of_the_manual_is_what_the_command_prints(study, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(paths, "LOCAL_DATASETS", Path("no such file"))  # this machine's own datasets
    page = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
    table = page[page.index(f"<!-- python -m benchmark cost {study} -->") :].split("<!-- end -->")[0]
    rows = re.findall(r"^\| (\S+) \| (\d.*) \|$", table, re.MULTILINE)
    documented = {name: [float(value) for value in values.split("|")] for name, values in rows}
    printed = {name: values for name, *values in cost(Study.load(study), 80.0).itertuples(index=False)}
    assert documented == {name: pytest.approx(values, abs=0.051) for name, values in printed.items()}
