"""Methods from outside: by file, by module, by installed package; and what a change of their code changes."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path

import pytest

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.registry import ARCHITECTURES, METHODS, Registry
from benchmark.study.study import Study
from tests.places import run_folder

CELL = "digits/convnet/random-10"
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


def forget_plugins():
    """As a new process would."""
    METHODS._entries.pop("half", None)
    for name in [name for name in sys.modules if "plugin" in name and name.startswith("benchmark_plugin_")]:
        del sys.modules[name]


def test_a_file_outside_the_project_brings_a_method_that_runs_like_any_other(project, outside):
    study = project.study(using(outside))
    assert "half" in METHODS and study.run(f"{CELL}/half/trial-0").settings.share == 0.5
    whole = project.run(study, f"{CELL}/half/trial-0")
    parts = project.run(study, f"{CELL}/half/trial-0", (2, 6))
    assert whole.samples.equals(parts.samples)
    assert not whole.samples.equals(project.run(study, f"{CELL}/ft/trial-0").samples)


def test_its_settings_are_checked_like_any_other(project, outside):
    study = project.study(using(outside, hyperparameters={"*": {"half": {"share": 0.25}}}))
    assert study.run(f"{CELL}/half/trial-0").settings.share == 0.25
    assert study.run(f"{CELL}/half@share=0.1/trial-0").settings.share == 0.1
    with pytest.raises(BadInput, match="did you mean 'share'"):
        project.study(using(outside, hyperparameters={"*": {"half": {"shar": 0.25}}}))


def test_it_takes_the_contrastive_term(project, outside):
    study = project.study(using(outside, method="half+cl"))
    plain = project.run(study, f"{CELL}/half/trial-0")
    assert project.run(study, f"{CELL}/half+cl@lambda=0/trial-0").samples.equals(plain.samples)
    assert not project.run(study, f"{CELL}/half+cl/trial-0").samples.equals(plain.samples)


def test_its_run_is_another_when_its_code_changes_and_the_same_when_a_comment_does(project, outside):
    def fingerprint(text):
        outside.write_text(text)
        forget_plugins()
        return project.study(using(outside)).run(f"{CELL}/half/trial-0").fingerprint

    first = fingerprint(PLUGIN)
    assert (
        fingerprint("# A comment.\n\n" + PLUGIN.replace("self.settings.share * super", "self.settings.share  *  super"))
        == first
    )
    changed = fingerprint(PLUGIN.replace("self.settings.share * super", "2 * self.settings.share * super"))
    assert changed != first
    assert fingerprint(PLUGIN) == first
    # With the term it is the plugin's code as well.
    with_term = project.study(using(outside)).run(f"{CELL}/half+cl/trial-0").slice["code"]
    assert with_term == project.study(using(outside)).run(f"{CELL}/half/trial-0").slice["code"]


def test_a_change_of_a_plugin_leaves_other_methods_alone(project, outside):
    before = project.study(using(outside)).run(f"{CELL}/ft/trial-0").fingerprint
    outside.write_text(PLUGIN.replace("0.5", "0.6"))
    forget_plugins()
    assert project.study(using(outside)).run(f"{CELL}/ft/trial-0").fingerprint == before
    assert project.study().run(f"{CELL}/ft/trial-0").fingerprint == before


def test_a_module_by_its_name(project, outside, monkeypatch):
    module = outside.with_name("importable_plugin.py")
    module.write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(module.parent))
    study = project.study(using("importable_plugin"))
    assert study.run(f"{CELL}/half/trial-0").method.__module__ == "importable_plugin"
    assert isinstance(study.run(f"{CELL}/half/trial-0").slice["code"], str)


def test_an_installed_package_by_its_entry_point(project, outside, monkeypatch):
    module = outside.with_name("installed_plugin.py")
    module.write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(module.parent))
    entry = importlib.metadata.EntryPoint("mine", "installed_plugin", "unlearning_benchmark.plugins")
    asked = []
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: asked.append(group) or [entry])
    study = project.study({"tables": {"table2": {"methods": ["ft", "half"]}}})
    assert study.run(f"{CELL}/half/trial-0").method.__module__ == "installed_plugin"
    assert set(asked) == {"unlearning_benchmark.plugins"}


def test_an_installed_package_that_fails_is_named(project, monkeypatch):
    entry = importlib.metadata.EntryPoint("mine", "not_there_plugin", "unlearning_benchmark.plugins")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [entry])
    with pytest.raises(BadInput, match="installed plugin 'mine': 'not_there_plugin' cannot be imported"):
        project.study()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("raise RuntimeError('no such card')", "RuntimeError: no such card"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
        ("def f(:\n", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
    ],
)
def test_a_plugin_that_fails_is_one_clear_error(project, outside, text, told):
    outside.write_text(text)
    with pytest.raises(BadInput) as caught:
        project.study(using(outside))
    message = str(caught.value)
    assert message.startswith(f"config/tiny.yaml: plugins: {str(outside)!r} cannot be imported: ")
    assert told in message and "\n" not in message


def test_a_plugin_that_failed_once_can_be_mended(project, outside):
    outside.write_text("1 / 0")
    with pytest.raises(BadInput):
        project.study(using(outside))
    outside.write_text(PLUGIN)
    assert project.study(using(outside)).run(f"{CELL}/half/trial-0")


@pytest.mark.parametrize("name", ["ft", "half"])
def test_two_methods_of_one_name_are_refused_and_both_places_named(project, outside, name):
    other = outside.with_name("other.py")
    other.write_text(PLUGIN.replace('"half"', f'"{name}"'))
    with pytest.raises(BadInput) as caught:
        project.study(using(outside, other))
    assert f"two methods are called {name!r}" in str(caught.value)
    assert ("benchmark.methods.ft:FT" if name == "ft" else "my-plugin") in str(caught.value)
    assert "other" in str(caught.value)


@pytest.mark.parametrize("name", ["Half", "half method", "half@x=1", "half+cl", "", "-half", "half\n"])
def test_a_method_of_a_malformed_name_is_refused(project, outside, name):
    outside.write_text(PLUGIN.replace('"half"', repr(name)))
    with pytest.raises(BadInput, match="accepted are lower-case words"):
        project.study({"plugins": [str(outside)]})


def test_a_plugin_can_bring_an_architecture_and_a_source(project, tmp_path):
    file = tmp_path / "all_plugin.py"
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
    (tmp_path / "all_parts_plugin.py").write_text(
        "from torch import nn\nfrom benchmark.models.classifier import Classifier\n"
        "def flat(classes, image_shape):\n"
        "    return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(16, 8)), nn.Linear(8, classes))\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        study = project.study(
            {
                "plugins": [str(file)],
                "datasets": {"noise": {"source": "noise", "augmentation": {"mean": [0.5], "std": [0.5]}}},
                "tables": {"table2": {"cells": ["noise/flat/random-10"]}},
            }
        )
        from benchmark.study.prepare import prepare, split

        # A change of either's code is noticed, without the network's being imported.
        run, folder = study.run("noise/flat/random-10/not/trial-0").fingerprint, study.dataset_folder("noise")
        network = tmp_path / "all_parts_plugin.py"
        network.write_text("# A comment.\n" + network.read_text())
        assert Study.load("tiny").run("noise/flat/random-10/not/trial-0").fingerprint == run
        assert Study.load("tiny").dataset_folder("noise") == folder
        network.write_text(network.read_text().replace("8", "9"))
        assert Study.load("tiny").run("noise/flat/random-10/not/trial-0").fingerprint != run
        source = file.read_text()
        file.write_text(source.replace("256", "255"))
        assert Study.load("tiny").dataset_folder("noise") != folder
        file.write_text(source)
        network.rename(tmp_path / "elsewhere.py")
        with pytest.raises(BadInput, match="module 'all_parts_plugin' of a plugin cannot be found"):
            Study.load("tiny")
        (tmp_path / "elsewhere.py").rename(network)
        study = Study.load("tiny")
        prepare(study, "noise")
        split(study, "noise", "random-10", 0)
        project.run(study, "noise/flat/original/trial-0")
        assert project.run(study, "noise/flat/random-10/not/trial-0").status == "finished"
    finally:
        sys.path.remove(str(tmp_path))


def test_a_registry_finds_by_name_and_imports_late():
    registry = Registry("thing")
    registry.add("late", "collections:OrderedDict")
    registry.add("late", "collections:OrderedDict")
    assert "late" in registry and list(registry) == ["late"]
    assert registry.get("late").__name__ == "OrderedDict"
    with pytest.raises(BadInput, match=r"here: unknown thing 'lat'; did you mean 'late'\? Accepted: late"):
        registry.get("lat", "here")
    assert "resnet18" in ARCHITECTURES


def test_a_plugin_runs_through_the_workflow(project, outside):
    project.add_workflow()
    project.study(using(outside))
    file = run_folder("tiny", f"{CELL}/half/trial-0") / paths.RUN
    project.snakemake(str(file), "--config", "study=tiny", check=True)
    record = json.loads(file.read_text())
    assert record["status"] == "finished" and record["slice"]["settings"]["share"] == 0.5
    outside.write_text("# Only a comment.\n" + PLUGIN)
    again = project.snakemake(str(file), "-n", "--config", "study=tiny", check=True)
    assert "Nothing to be done" in again.stdout + again.stderr
    outside.write_text(PLUGIN.replace("self.settings.share * super", "self.settings.share**2 * super"))
    again = project.snakemake(str(file), "-n", "--config", "study=tiny", check=True)
    assert "Params have changed" in again.stdout + again.stderr


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("@METHODS.register('half')\ndef half(): ...", "accepted is a class derived from .*Method"),
        ("@METHODS.register('half')\nclass Half: ...", "accepted is a class derived from .*Method"),
        (
            "@METHODS.register('half')\nclass Half(Method):\n    class Settings: ...",
            "Settings: accepted is a class derived from .*Recipe",
        ),
        (
            "@METHODS.register('half')\nclass Half(Method):\n    def prepair(self, model): ...",
            "'prepair' is no part of a method; did you mean 'prepare'",
        ),
        ("METHODS.add('half', 'my_module')", "'my_module': accepted is a class, a function or 'module:name'"),
        ("METHODS.add('half', 'json:half')", "method 'half' is 'json:half', and there is none"),
        ("METHODS.add('my_half', Method)", "my-plugin.py': method name 'my_half'"),
        ("\nhalf = foo", r"NameError: name 'foo' is not defined \(line 4\)"),
    ],
)
def test_a_plugin_that_is_none_is_one_error_that_says_where(project, outside, code, told):
    outside.write_text(f"from benchmark.methods.base import Method\nfrom benchmark.registry import METHODS\n{code}\n")
    try:
        with pytest.raises(BadInput, match=told) as caught:
            project.study(using(outside))
        assert str(caught.value).startswith("config/tiny.yaml: ")
    finally:
        forget_plugins()
