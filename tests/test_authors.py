"""For authors of methods: the files that `new` writes, and what `test` says of a plugin that breaks a promise."""

import runpy
import shutil
from pathlib import Path

import pytest

from benchmark import paths
from benchmark.contract import promises
from tests.project import ROOT, call, mistake, without_new_plugins

PLUGIN = """
import random

import torch

from benchmark.methods.base import Method, Part
from benchmark.registry import METHODS


@METHODS.register("breaks")
class Breaks(Method):
    {body}
"""
KEEPS_ALL = "contrastive = True"
BREAKS = {
    promises.ends_well: "def after_step(self, model): next(model.parameters()).mul_(float('nan'))",
    promises.repeats_its_steps: """def batches(self, epoch):
        return super().batches(0)""",
    promises.repeats: """def loss(self, outputs, batch, epoch):
        return super().loss(outputs, batch, epoch) * random.random()""",
    promises.resumes: """steps = 0

    def loss(self, outputs, batch, epoch):
        self.steps += 1
        return super().loss(outputs, batch, epoch) * self.steps""",
    promises.leaves_absent_data_alone: """def prepare(self, model):
        every = Part(torch.arange(160), self.context.labels, "N")
        self.context.load(every, self.context.streams.generator("look"))""",
    promises.accepts_contrastive_term: """contrastive = True

    def loss(self, outputs, batch, epoch):
        return super().loss(outputs, batch, epoch) * (2 if type(self) is Breaks else 1)""",
    promises.runs_in_bfloat16: """def loss(self, outputs, batch, epoch):
        loss = super().loss(outputs, batch, epoch)
        return loss * float("nan") if torch.is_autocast_enabled("cpu") else loss""",
}
ALL_DATA = """def batches(self, epoch):
        every = torch.randperm(160, generator=self.context.streams.generator("order", epoch))
        return [{"retain": Part(index, self.context.labels[index])} for index in every.split(32)]"""


@pytest.fixture
def broken(tmp_path):
    """Return a function that finds the promises that a plugin's method breaks."""

    def broken(body, tested=promises.PROMISES):
        file = tmp_path / "breaking_plugin.py"
        file.write_text(PLUGIN.format(body=body))
        with without_new_plugins():
            return promises.broken("breaks", [str(file)], tested)

    return broken


@pytest.mark.parametrize(("promise", "body"), BREAKS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_the_promise_that_a_plugin_breaks_is_named(broken, promise, body):
    assert [finding.promise for finding in broken(body, [promise])] == [promise.__doc__]


@pytest.mark.parametrize("promise", [promises.ends_well, promises.repeats])
def test_what_a_broken_promise_would_break_too_is_not_tested(broken, promise):
    assert [finding.promise for finding in broken(BREAKS[promise])] == [promise.__doc__]


def test_a_promise_that_cannot_be_tested_is_not_called_kept(empty):
    Path("mine.py").write_text(PLUGIN.format(body=BREAKS[promises.repeats]))
    with without_new_plugins():
        ended = call("test", "breaks", "--plugin", "mine.py")
    assert ended.returncode == 1
    assert f"broken      {promises.repeats.__doc__}\n            a second run differs" in ended.stdout
    assert f"not tested  {promises.resumes.__doc__}\n            it does not repeat\n" in ended.stdout
    untested = "it has the term; test the method without '+cl'"
    assert untested in call("test", "not+cl").stdout


@pytest.mark.parametrize("method", ["ssd", "original", "ft@lr=0.05"])  # 0.05 is FT's default
def test_a_method_that_trains_nothing_original_and_one_named_with_a_default_end_well(method):
    assert not promises.broken(method, promises=[promises.ends_well])


def test_what_a_method_remembers_in_a_later_epoch_alone_is_found(broken):
    body = """steps = 0

    def loss(self, outputs, batch, epoch):
        self.steps += epoch == 1
        return super().loss(outputs, batch, epoch) * (1 + self.steps)"""
    assert [finding.promise for finding in broken(body, [promises.resumes])] == [promises.resumes.__doc__]


def test_a_plugin_that_keeps_all_promises_passes_and_one_that_cannot_run_fails(broken):
    assert set(BREAKS) == set(promises.PROMISES) and not broken(KEEPS_ALL)
    for body, fault in {
        ALL_DATA: "method Breaks: batches gives position ",
        "def loss(self, outputs, batch, epoch): pass": "loss returns None: accepted is a scalar tensor",
        """def loss(self, outputs, batch, epoch):
        return outputs["retain"].cross_entropy(batch["retain"].label[:, None])""": "(line 13)",
    }.items():
        [finding] = broken(body)
        assert finding.promise == "It does a run." and fault in finding.instead, finding


def test_new_refuses_names_that_are_built_in(empty):
    paths.CONFIG.mkdir()
    names = {"method": "ft", "architecture": "vit", "dataset": "digits"}
    known = f"[name in KINDS[kind][0] for kind, name in {names}.items()]"
    printed = empty.python(f"from benchmark.study.new_plugin import KINDS; print({known})")
    assert printed == "[True, True, True]"  # in a process that has imported nothing else
    for kind, name in names.items():
        assert "there is one of that name" in mistake("new", kind, name) and not list(Path().glob("*.py"))


def test_new_overwrites_nothing_and_refuses_unusable_names(empty):
    assert "no folder config here: accepted is a checkout" in mistake("new", "method", "mine")
    paths.CONFIG.mkdir()
    assert call("new", "method", "mine").stdout.startswith("mine.py, config/mine.yaml and test_mine.py are written.")
    before = Path("mine.py").read_text()
    assert "mine.py exists already" in call("new", "dataset", "mine").stderr
    assert "accepted are lower-case words" in call("new", "method", "My_Method").stderr
    assert "Python has 'none' already" in call("new", "method", "none").stderr
    assert "method 'true': a study file reads that as no name" in call("new", "method", "true").stderr
    for kind, name, fault in (
        ("method", "training", "a group of hyperparameters has that name"),
        ("architecture", "run", "the workflow has a target of that name"),
        ("audit", "efficacy-auc", "there is one of that name"),
        ("dataset", "nan", "snakemake's --config reads that as a number"),
        ("method", "m" * 101, "accepted are lower-case words and digits joined by '-', a letter first, at most 100"),
    ):
        assert f"{kind} {name!r}: {fault}" in call("new", kind, name).stderr
        assert not paths.study_file(name).exists()
    for kind, name in (("method", "random"), ("dataset", "numpy"), ("architecture", "import")):
        refused = call("new", kind, name).stderr
        assert f"{kind} {name!r}: Python has {name!r} already: call the new one something else" in refused
        assert not Path(f"{name}.py").exists()
    assert Path("mine.py").read_text() == before


def test_a_plugin_that_registers_no_method_is_named(empty):
    Path("mine.py").write_text("class Mine: ...\n")
    with without_new_plugins():
        errors = call("test", "mine", "--plugin", "mine.py").stderr
    accepted = 'accepted is a class below @METHODS.register("mine")'
    assert errors == f"error: --plugin: mine.py registers no method: {accepted}\n"


def test_a_method_of_ones_own_is_unknown_without_its_plugin(empty):
    errors = call("test", "my-method").stderr
    assert errors.startswith("error: METHOD: unknown method 'my-method'") and errors.endswith("needs --plugin FILE\n")


def test_a_method_with_a_setting_that_it_cannot_have_is_refused_without_the_name_of_its_study(empty):
    errors = call("test", "ft@lr=-1").stderr
    assert errors == "error: METHOD: method 'ft@lr=-1': lr: '-1': accepted is a number above 0\n"


@pytest.mark.parametrize("kind", ["dataset", "architecture", "audit"])  # the manual's own commands cover methods
def test_what_new_writes_works_unchanged(empty, monkeypatch, kind):
    Path("config").mkdir()
    shutil.copy(ROOT / "config" / "quick.yaml", "config")
    call("new", kind, f"new-{kind}", check=True)
    assert "no mistakes" in call("check", f"new-{kind}", check=True).stdout
    monkeypatch.syspath_prepend(str(empty.root))
    with without_new_plugins():
        tests = [value for name, value in runpy.run_path(f"test_new_{kind}.py").items() if name.startswith("test_")]
        assert tests
        for test in tests:
            test()
