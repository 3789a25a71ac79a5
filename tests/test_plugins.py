"""Plugins: by file, by module or by installed package, and what a change of their code changes."""

import importlib.metadata
import os
from functools import partial
from pathlib import Path

import pytest

from benchmark.errors import BadInput
from benchmark.registry import ARCHITECTURES, METHODS, Registry
from benchmark.study.study import Study
from tests.project import CELL, mistake, without_new_plugins

HALF = f"{CELL}/half/trial-0"
PLUGIN = '''
"""A method of someone else's."""

from benchmark.methods.base import Method, Recipe, setting
from benchmark.registry import METHODS


@METHODS.register("half")
class Half(Method):
    """Fine-tuning on a part of the loss."""

    class Settings(Recipe):
        share: float = setting(0.5, "how much of the loss", gt=0)

    contrastive = True

    def loss(self, outputs, batch, epoch):
        return self.settings.share * super().loss(outputs, batch, epoch)
'''
VIEW = '\n    paper_units = executed_units = {"retain": 3, "view": 3}\n'
COMMENTED = "# A comment.\n\n" + PLUGIN.replace("self.settings.share * super", "self.settings.share  *  super")
CHANGED = PLUGIN.replace("self.settings.share * super", "2 * self.settings.share * super")


@pytest.fixture
def outside(tmp_path) -> Path:
    """A plugin's file in a folder that is not the project's."""
    folder = tmp_path / "some where else"
    folder.mkdir()
    file = folder / "my-plugin.py"
    file.write_text(PLUGIN)
    return file


def using(*plugins, method="half", **more):
    return {"plugins": [str(plugin) for plugin in plugins], "tables": {"table2": {"methods": ["ft", method]}}, **more}


def refused(project, *plugins) -> str:
    with without_new_plugins(), pytest.raises(BadInput) as caught:
        project.study(using(*plugins))
    message = str(caught.value)
    assert message.startswith("config/tiny.yaml: ") and "\n" not in message
    return message


def test_a_file_outside_the_project_brings_a_method_that_runs_like_any_other(project, outside):
    study = project.study(using(outside, method="half+cl"))
    assert "half" in METHODS and study.run(HALF).settings.share == 0.5
    plain = project.run(study, HALF)
    assert plain.samples.equals(project.run(study, HALF, (2, 6)).samples)
    assert not plain.samples.equals(project.run(study, f"{CELL}/ft/trial-0").samples)
    # It takes the contrastive term too.
    assert project.run(study, f"{CELL}/half+cl@lambda=0/trial-0").samples.equals(plain.samples)
    assert not project.run(study, f"{CELL}/half+cl/trial-0").samples.equals(plain.samples)


def test_a_plugins_settings_are_checked_like_any_other(empty, outside):
    study = empty.study(using(outside, hyperparameters={"*": {"half": {"share": 0.25}}}))
    assert study.run(HALF).settings.share == 0.25
    assert study.run(f"{CELL}/half@share=0.1/trial-0").settings.share == 0.1
    with pytest.raises(BadInput, match="did you mean 'share'"):
        empty.study(using(outside, hyperparameters={"*": {"half": {"shar": 0.25}}}))


def test_a_setting_that_is_text_keeps_it_in_the_name_of_a_run(empty, outside):
    outside.write_text(PLUGIN.replace('share: float = setting(0.5, "how much of the loss", gt=0)', "share: str = '1'"))
    study = empty.study(using(outside, method="half@share=2.0"))
    run = next(run for run in study.runs() if "half" in run.name.method)
    assert run.name.method == "half@share=2.0" and run.settings.share == "2.0"


def test_a_settings_check_may_fail_without_a_word(empty, outside):
    check = '@field_validator("share")\n        def check(cls, value):\n            raise ValueError\n\n        share'
    outside.write_text("from pydantic import field_validator\n" + PLUGIN.replace("share", check, 1))
    with pytest.raises(BadInput, match=r"hyperparameters\.\*\.half: share: 0\.25: not accepted"):
        empty.study(using(outside, hyperparameters={"*": {"half": {"share": 0.25}}}))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (PLUGIN.replace("share", "tau"), "Settings: tau: the contrastive term has a setting of that name"),
        (PLUGIN + VIEW, "executed_units: view: the contrastive term has a part of that name"),
    ],
)
def test_a_name_of_the_contrastive_term_is_refused_where_both_are_used(empty, outside, text, fault):
    outside.write_text(text)
    assert empty.study(using(outside)).run(HALF)
    with pytest.raises(BadInput, match=f"method Half: {fault}"):
        empty.study(using(outside, method="half+cl"))


def test_a_methods_own_defaults_for_the_common_settings_stay_where_it_takes_the_contrastive_term(empty, outside):
    own = 'momentum: float = setting(0.5, "less than others have", ge=0, lt=1)'
    outside.write_text(PLUGIN.replace("share: float", f"{own}\n        share: float"))
    study = empty.study(using(outside, method="half+cl"))
    for name in (HALF, f"{CELL}/half+cl/trial-0"):
        assert study.run(name).settings.momentum == 0.5


def test_changed_code_makes_another_run_and_a_changed_comment_does_not(empty, outside):
    def fingerprints(text):
        outside.write_text(text)
        with without_new_plugins():
            study = empty.study(using(outside))
            half, with_term = study.run(HALF), study.run(f"{CELL}/half+cl/trial-0")
            assert half.origin["code"] == with_term.origin["code"]
            return half.fingerprint, study.run(f"{CELL}/ft/trial-0").fingerprint

    half, ft = fingerprints(PLUGIN)
    assert fingerprints(COMMENTED) == fingerprints(PLUGIN) == (half, ft)
    new_half, new_ft = fingerprints(CHANGED)
    assert new_half != half and new_ft == ft == empty.study().run(f"{CELL}/ft/trial-0").fingerprint


def test_an_edit_counts_despite_a_compiled_copy_of_the_same_time_and_length(empty, outside, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    for share in (0.5, 0.7, 0.2):
        outside.write_text(PLUGIN.replace("0.5", str(share)))
        os.utime(outside, (0, 0))
        with without_new_plugins():
            assert empty.study(using(outside)).run(HALF).settings.share == share


def test_a_module_is_found_by_its_name_and_an_installed_package_by_its_entry_point(empty, outside, monkeypatch):
    for name in ("importable_plugin", "installed_plugin"):
        outside.with_name(f"{name}.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(outside.parent))
    with without_new_plugins():
        run = empty.study(using("importable_plugin")).run(HALF)
        assert run.method.__module__ == "importable_plugin" and isinstance(run.origin["code"], str)
    groups = []
    entry = importlib.metadata.EntryPoint("mine", "installed_plugin", "unlearning_benchmark.plugins")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: groups.append(group) or [entry])
    study = empty.study({"tables": {"table2": {"methods": ["ft", "half"]}}})
    assert study.run(HALF).method.__module__ == "installed_plugin" and set(groups) == {"unlearning_benchmark.plugins"}
    entry = importlib.metadata.EntryPoint("mine", "not_there_plugin", "unlearning_benchmark.plugins")
    with pytest.raises(BadInput, match="installed plugin 'mine': 'not_there_plugin' cannot be imported"):
        empty.study()


def test_a_plugin_that_fails_is_one_clear_error_and_can_be_repaired(empty, outside):
    for text, message in {
        "raise RuntimeError('no such card')": "RuntimeError: no such card",
        "import not_there": "ModuleNotFoundError: No module named 'not_there'",
        "def f(:\n": "SyntaxError",
        "1 / 0": "ZeroDivisionError",
        "import sys; sys.exit(3)": "SystemExit: 3",
        "\n\n\nhalf = foo": "NameError: name 'foo' is not defined (line 4)",
    }.items():
        outside.write_text(text)
        assert f"plugins: {str(outside)!r} cannot be imported: {message}" in refused(empty, outside), text
    outside.write_text(PLUGIN)
    assert empty.study(using(outside)).run(HALF)


def test_the_line_at_which_a_module_within_a_package_fails_is_named(empty, outside, monkeypatch):
    package = outside.parent / "some_plugin"
    package.mkdir()
    (package / "within.py").write_text("\n\n\nhalf = foo")
    monkeypatch.syspath_prepend(str(outside.parent))
    assert "name 'foo' is not defined (line 4)" in refused(empty, "some_plugin.within")


def test_two_methods_of_one_name_are_refused_and_both_origins_named(empty, outside):
    other = outside.with_name("other.py")
    for name, origin in {"ft": "benchmark.methods.ft:FT", "half": "my-plugin"}.items():
        other.write_text(PLUGIN.replace('"half"', f'"{name}"'))
        message = refused(empty, outside, other)
        assert all(part in message for part in (f"two methods are called {name!r}", origin, "other"))


def test_a_plugins_architecture_and_source_are_identified_by_their_code(empty, tmp_path, monkeypatch):
    file, network = tmp_path / "all_plugin.py", tmp_path / "all_parts_plugin.py"
    file.write_text(
        "import numpy as np\nfrom benchmark.data.arrays import Arrays\n"
        "from benchmark.registry import ARCHITECTURES, SOURCES\n"
        "ARCHITECTURES.add('flat', 'all_parts_plugin:flat')\n"
        "@SOURCES.register('noise')\n"
        "def read(name, settings):\n"
        "    images = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1), dtype=np.uint8)\n"
        "    labels = np.arange(60) % 3\n"
        "    return Arrays(images, labels, images[:30], labels[:30], ['a', 'b', 'c'], {}, name)\n"
    )
    network.write_text(
        "from torch import nn\nfrom benchmark.models.classifier import Classifier\n"
        "def flat(classes, image_shape):\n"
        "    return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(16, 8)), nn.Linear(8, classes))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    change = {
        "plugins": [str(file)],
        "datasets": {"noise": {"source": "noise", "augmentation": {"mean": [0.5], "std": [0.5]}}},
        "tables": {"table2": {"cells": ["noise/flat/random-10"]}},
    }
    name = "noise/flat/random-10/not/trial-0"

    def planned():
        study = Study.load("tiny")
        return study.run(name).fingerprint, study.dataset_folder("noise")

    # A change of either's code is noticed without importing the network; tests/docs runs such a study.
    empty.study(change)
    run, folder = planned()
    network.write_text("# A comment.\n" + network.read_text())
    assert planned() == (run, folder)
    network.write_text(network.read_text().replace("8", "9"))
    assert planned()[0] != run and planned()[1] == folder
    file.write_text(file.read_text().replace("256", "255"))
    assert planned()[1] != folder
    network.write_text("def flat(classes, image_shape:\n")
    with pytest.raises(BadInput, match=r"all_parts_plugin\.py, a plugin's module, is not Python code: "):
        Study.load("tiny")
    network.unlink()
    with pytest.raises(BadInput, match="module 'all_parts_plugin' of a plugin cannot be found"):
        Study.load("tiny")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def read(name): ...", "plugins: 'noise' is read(name): accepted is a function of (name, settings)"),
        ("def read(name, settings): return 1 / 0", "ZeroDivisionError: division by zero (line 6)"),
        ("def read(name, settings): return Arrays(x, y, x, y, np.array(['a', 'b']))", "dataset: classes are array("),
        ("def read(name, settings): return Arrays(x, y, x, y, ['a', 'b'], {'n': y[0]})", "dataset: origin: Object of"),
        (
            "def read(name, settings): return Arrays(x, [0, 1], x, y, ['a', 'b'])",
            "train labels are a list; accepted is",
        ),
        ("def read(name, settings): return x", "data source 'noise' returns ndarray: accepted is a benchmark."),
    ],
)
def test_a_mistake_in_a_source_is_told_with_the_dataset_and_the_line(empty, code, message):
    file = empty.root / "noise_plugin.py"
    file.write_text(
        "import numpy as np\nfrom benchmark.data.arrays import Arrays\nfrom benchmark.registry import SOURCES\n"
        f"x, y = np.zeros((2, 8, 8, 1), np.uint8), np.arange(2)\n@SOURCES.register('noise')\n{code}\n"
    )
    datasets = {"noise": {"source": "noise", "augmentation": {"mean": [0.5], "std": [0.5]}}}
    table = {"cells": ["noise/convnet/random-50"]}
    empty.study({"plugins": [str(file)], "datasets": datasets, "tables": {"table2": table}})
    given = mistake("check", "tiny") if "plugins:" in message else mistake("prepare", "tiny", "noise")
    assert message in given and ("plugins:" in message or "datasets.noise: data source 'noise'" in given)


def test_a_registry_finds_by_name_and_imports_late():
    registry = Registry("thing")
    registry.add("late", "collections:OrderedDict")
    registry.add("late", "collections:OrderedDict")
    assert "late" in registry and list(registry) == ["late"]
    assert registry.get("late").__name__ == "OrderedDict"
    with pytest.raises(BadInput, match=r"here: unknown thing 'lat'; did you mean 'late'\? Accepted: late"):
        registry.get("lat", "here")
    with pytest.raises(BadInput, match=r"thing 'part': functools\.partial\(.*\): accepted is a class, a function or"):
        registry.add("part", partial(int, base=2))
    assert "resnet18" in ARCHITECTURES
