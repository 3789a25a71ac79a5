"""What a study file may not say is refused in one line with the place, the value and what is accepted."""

import contextlib
from pathlib import Path

import pytest

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.study.reading import read
from benchmark.study.study import Study
from tests.project import call, without_new_plugins
from tests.test_study import hyper

CELL, CELL_8 = "digits/convnet/random-10", "digits/convnet/class-8"


def table2(**settings):
    return {"tables": {"table2": settings}}


BOTH = table2(methods=["ft", "not"])


def stages(cell):
    return {"figures": {"figure6": {"kind": "stages", "cells": [cell], "methods": ["ft"]}}}


def dataset(**settings):
    return {"datasets": {"digits": settings}}


def refused(project, change) -> str:
    """Return the one line with which ``check`` refuses a change of the study; it makes nothing."""
    with contextlib.suppress(BadInput), without_new_plugins():
        project.study(change)
    before = sorted(project.root.iterdir())
    done = call("check", "tiny")
    assert done.returncode == 2 and not done.stdout and sorted(project.root.iterdir()) == before, change
    assert done.stderr.startswith("error: config/tiny.yaml: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("error: config/tiny.yaml: ").removesuffix("\n")


def test_an_unknown_name_is_refused_with_its_place_a_suggestion_and_what_is_accepted(empty):
    empty.study(name="other")
    for change, place, suggestion, accepted in [
        ({"only": ["tabel2"]}, "only", "table2", "table8"),
        ({"labels": {"fft": "FT"}}, "labels", "ft", "coun"),
        ({"colours": {"salum": "#000000"}}, "colours", "salun", "coun"),
        ({"trails": 3}, "trails", "trials", "datasets, description"),
        ({"extend": "quick"}, "extend", "extends", "tables, threads"),
        (hyper("*", trainin={"lr": 1}), "hyperparameters.*.trainin", "training", "unlearning"),
        (dataset(sorce="digits"), "datasets.digits.sorce", "source", "augmentation"),
        (dataset(source="digts"), "datasets.digits.source", "digits", "parquet"),
        (dataset(augmentation={"pading": 1}), "datasets.digits.augmentation.pading", "padding", "flip, mean, padding"),
        ({"sequential": {"shedule": "restart"}}, "sequential.shedule", "schedule", "forget, schedule"),
        (hyper("*", ft={"epoch": 1}), "hyperparameters.*.ft: epoch", "epochs", "batch_size"),
        (hyper("*", coun={"lambd": 1}), "hyperparameters.*.coun: lambd", "lambda", "tau"),
        (hyper("*", training={"epoch": 1}), "hyperparameters.*.training: epoch", "epochs", "batch_size"),
        (hyper("*", fft={"lr": 1}), "hyperparameters.*.fft", "ft", "coun, "),
        (table2(method=["ft"]), "tables.table2.method", "methods", "caption, cells"),
        (table2(methods=["ft", "salum"]), "tables.table2", "salun", "retrain"),
        (table2(methods=["nott+cl"]), "tables.table2", "not", "ft, "),
        (table2(methods=["coun@tua=0.2"]), "tables.table2: method 'coun@tua=0.2': tua", "tau", "lambda"),
        (table2(cells=["digts/convnet/random-10"]), "tables.table2", "digits", "digits"),
        (table2(cells=["digits/convnt/random-10"]), "tables.table2", "convnet", "resnet18"),
        (table2(kind="scale", studies=["othr"]), "tables.table2.studies", "other", "tiny"),
        (table2(kind="unlerning"), "tables.table2.kind", "unlearning", "predictions"),
    ]:
        message = refused(empty, change)
        assert message.startswith(place) and f"did you mean {suggestion!r}?" in message, (change, message)
        assert accepted in message.split("Accepted: ")[1], (change, message)


RGB, GREY = {"mean": [0.1] * 3, "std": [1] * 3}, {"mean": [0], "std": [1]}
MINE = {"datasets": {"mine": {"source": "folder", "path": "nowhere"}}}
# tests/test_mutations.py covers wrong types and values of single settings.
CHANGES = [
    ({"plugins": ["nowhere.py"]}, "plugins", "no such file"),
    ({"resample": ["split", "split"]}, "resample", "'split' is listed twice"),
    ({"datasets": None}, "datasets", "missing; it is needed"),
    ({"datasets": {"Digits": {"source": "digits"}}}, "datasets", "'Digits'"),
    (dataset(augmentation={"mean": [1, 2]}), "datasets.digits.augmentation", "mean has 2"),
    (dataset(augmentation={"std": [0]}), "datasets.digits.augmentation", "std is [0.0]"),
    (dataset(augmentation=RGB), "datasets.digits.augmentation.mean", "accepted is 1 number"),
    (dataset(classes=["0", "0"]), "datasets.digits.classes", "'0' is listed twice"),
    (MINE | table2(cells=["mine/convnet/random-10"]), "datasets.mine.path", "there is no folder nowhere"),
    ({"datasets": {"mine": {"source": "folder", "path": "."}}}, "datasets.mine.path", ". has no folder 'train'"),
    ({"datasets": {"mine": {"source": "parquet", "path": "."}}}, "datasets.mine.train", "matches 'train-*.parquet'"),
    ({"datasets": {"digits": {"train": "t**.parquet"}}}, "datasets.digits.train: 't**.parquet'", "as a folder alone"),
    ({"datasets": {"mine": {"source": "parquet"}}}, "datasets.mine.path", "is missing: source 'parquet' needs"),
    ({"datasets": {"mine": {"source": "folder", "augmentation": GREY}}}, "datasets.mine", "3 numbers"),
    (dataset(path="images"), "datasets.digits.path: 'images'", "source 'digits' does not use it: leave it out"),
    (
        {"datasets": {"mine": {"source": "parquet", "path": ".", "checksum": f"md5:{'0' * 32}"}}},
        "datasets.mine.checksum: 'md5:000",
        "source 'parquet' does not use it",
    ),
    (
        {"datasets": {"mnist": {"source": "official"}}},
        "datasets",
        "unknown official dataset 'mnist'. Accepted: cifar10",
    ),
    ({"plugins": ["config"]}, "plugins: 'config'", "accepted is a module or a .py file"),
    ({"labels": {"ft": 3}}, "labels.ft", "3"),
    *(
        ({"labels": {"ft": label}}, f"labels.ft: {label!r}", "accepted is one line")
        for label in ("a\nb", "", " ", "_a")
    ),
    (BOTH | {"labels": {"ft": "Ours", "not": "ours"}}, "labels: 'ours'", "would stand for ft and not: give them two"),
    (BOTH | {"labels": {"ft": "NoT"}}, "labels: ", "ft and not"),
    ({"description": ["mine"]}, "description: ['mine']: ", "accepted is text"),
    (hyper("coun", lr=1), "hyperparameters.coun.lr: 1", "accepted is a mapping of names"),
    (dataset(augmentation={"mean": [76.5], "std": [96.0]}), "datasets.digits.augmentation", "from 0 to 1"),
    ({"colours": {"ft": "red"}}, "colours.ft: 'red'", "accepted is text that matches ^#"),
    ({"only": ["table2", "table2"]}, "only", "'table2' is listed twice"),
    (table2(kind="maps"), "tables.table2.kind", "'maps' is a kind of figure: accepted below 'figures' alone"),
    (hyper("*", unlearning={"warmup": 3}), "tables.table2: run", "warmup: 3: accepted is at most its 2 epochs"),
    (table2(methods=["coun@warmup=9"]), "tables.table2: run", "warmup: 9"),
    (hyper("*", unlearning={"batch_size": 150}), f"run '{CELL}/", "150: accepted is at most the 144 retain"),
    (hyper("*", training={"batch_size": 161}), "run 'digits/convnet/original/trial-0'", "batch_size: 161"),
    (table2(methods=["coun@cl_transform=CHJN"]), f"run '{CELL}/coun@cl_transform=CHJN/", "'CHJN': accepted for grey"),
    (table2(cells=["digits/vgg16/random-10"]), "digits/vgg16/random-10", "8x8 pixels: accepted are sides of 32"),
    (dataset(size=30) | table2(cells=["digits/vit/random-10"]), "digits/vit/random-10", "30x30"),
    (
        {"trials": 0, "precision": "half", "threads": 1.5},
        "trials: 0: accepted is a number of at least 1; also precision: 'half': accepted is 'auto', 'float32' or ",
        "; also threads: 1.5: accepted is a whole number",
    ),
    ({"labels": dict.fromkeys(map(str, range(7)), 1)}, "labels.0: 1: accepted is text; also labels.1: 1: ", "(2 more)"),
    ({"trials": 100_001}, "trials", "100001"),
    ({"threads": 1001}, "threads", "1001"),
    ({"tune": {"ranges": {"ft": {"lr": [False, True]}}}}, "tune: ranges: False", "accepted are numbers"),
    (table2(cells=["digits/convnet/random-0"]), "tables.table2.cells", "'random-0'"),
    (
        table2(cells=["digits/convnet/class-hot dog"]),
        "tables.table2.cells: scenario 'class-hot dog'",
        "'class-hot_dog'",
    ),
    (table2(cells=["digits/../random-10"]), "tables.table2", "'digits/../random-10/"),
    (table2(cells=[CELL, CELL]), "tables.table2.cells", f"{CELL!r} is listed twice"),
    (table2(cells=[]), "tables.table2.cells", "empty"),
    (table2(methods=[]), "tables.table2.methods", "empty"),
    (table2(methods=["coun", "ft+cl"]), "tables.table2.methods", "'coun' is listed twice"),
    (table2(methods=["ft\nx"]), "tables.table2.methods", r"'ft\nx'"),
    (table2(methods=["ft@lr=1@lr=2"]), "tables.table2.methods", "twice"),
    (table2(methods=["NegGrad+"]), "tables.table2.methods: method 'NegGrad+'", "did you mean 'neggrad-plus'?"),
    (table2(methods=["coun+cl"]), "tables.table2", "'coun' has the contrastive term already"),
    (table2(methods=["coun@tau=x"]), "tables.table2: method 'coun@tau=x': tau", "'x'"),
    (table2(methods=["coun@tau=-1"]), "tables.table2: method 'coun@tau=-1': tau", "'-1'"),
    (table2(methods=["original@epochs=3"]), "tables.table2: method 'original@epochs=3'", "accepted is 'original'"),
    (table2(trials=9), "tables.table2.trials", "9"),
    (table2(classes=["8"]), "tables.table2.classes", "a table of kind 'unlearning' does not use it"),
    (table2(show="forget"), "tables.table2.show", "does not use it"),
    (table2(kind="hyperparameters", trials=1), "tables.table2.trials", "does not use it"),
    (stages("digits/convnet/class-8"), f"figures.figure6: cells: {CELL_8}", "accepted are sequential ones"),
    (stages("digits/convnet/random-10"), f"figures.figure6: cells: {CELL}", "such as digits/convnet/sequential-5x10"),
    (table2(studies=["tiny"]), "tables.table2.studies", "accepted are ['scale']"),
    (table2(kind="claims", cells=[CELL]), f"tables.table2.cells: {CELL}", "of all runs that the study's other tables"),
    (table2(kind="effort", cells=[], methods=["ft"]), "tables.table2.methods: ft", "accepted is none"),
    (table2(kind="scale"), "tables.table2.studies", "empty"),
    (table2(kind="scale", studies=["tiny", "tiny"]), "tables.table2.studies", "twice"),
    ({"figures": {"f": {"kind": "cost", "cells": [CELL], "methods": ["retrain"]}}}, "figures.f: methods", "other"),
    ({"scored": {"Theirs": "theirs/{trial}.parquet"}}, "scored: method name 'Theirs'", "accepted are lower-case words"),
    ({"scored": {"theirs": "{dataset[0]}/x-{trial}.parquet"}}, "scored.theirs", "{dataset}"),
    (table2(kind="maps"), "tables.table2.kind", "'maps'"),
    (table2(kind="predictions", classes=["3", "8"], cells=[CELL_8]), "tables.table2: classes", "'8'"),
    ({"tables": {"Table 2": {"kind": "unlearning"}}}, "tables", "'Table 2'"),
    ({"tables": {"all": {"kind": "unlearning", "cells": [CELL], "methods": ["ft"]}}}, "'all'", "target"),
    ({"figures": {"table2": {"kind": "maps", "cells": [CELL], "methods": ["ft"]}}}, "'table2'", "both"),
    (hyper("*", ft={"momentum": 1}), "hyperparameters.*.ft: momentum", "1"),
    (hyper("*", ft={"batch_size": 1}), "hyperparameters.*.ft: batch_size", "1"),
    (hyper("*", **{"ft+cl": {"lr": 1}}), "hyperparameters.*.ft+cl", "'coun'"),
    (hyper("*", **{"coun@tau=1": {"lr": 1}}), "hyperparameters.*.coun@tau=1", "'coun'"),
    (hyper(CELL, original={"lr": 1}), f"hyperparameters.{CELL}.original", "accepted is a pattern that matches digits/"),
    (
        hyper("digits/convnet/original", ft={"lr": 0.1}),
        "hyperparameters.digits/convnet/original.ft",
        "accepted for digits/convnet/original are 'training' and 'original'",
    ),
    (hyper("*", ft={"schedule": "step"}), "hyperparameters.*.ft: schedule", "'step'"),
    (hyper("*", ft={"lr": 1e-5}), "", "final_lr is 0.0001, lr 1e-05"),
    (hyper("digits/vit/*", ft={"lr": 1}), "hyperparameters.digits/vit/*", "matches no cell"),
    (hyper("digits/convnet", ft={"lr": 1}), "hyperparameters.digits/convnet", "matches no cell"),
]


def test_a_wrong_value_is_refused_with_its_place(empty):
    for change, place, value in CHANGES:
        message = refused(empty, change)
        assert message.startswith(place) and value in message, (change, message)
    assert len(CHANGES) >= 45


def test_the_classes_of_a_prepared_dataset_are_known(project):
    message = refused(project, table2(cells=["digits/convnet/class-eight"]))
    assert message.startswith("tables.table2: unknown class of digits 'eight'") and "Accepted: 0, 1, " in message


def test_what_only_leaves_out_need_not_fit_a_study_that_extends_another(empty):
    empty.study({"trials": 2, "tables": {"table2": {"trials": 2}}}, stages("digits/convnet/sequential-2x10"))
    write(paths.study_file("tiny").read_text(), "base")
    own = "extends: base\ntrials: 1\nhyperparameters: {'*': {unlearning: {epochs: 1}}}\n"
    for only, message in [
        ("[table2]", "tables.table2.trials: 2: the study has 1"),
        (
            "[figure6]",
            "figures.figure6: run 'digits/convnet/sequential-2x10/ft/trial-0': 1 epoch: accepted is a multiple",
        ),
        ("[table8]", ""),
    ]:
        write(f"{own}only: {only}\n")
        done = call("check", "tiny")
        assert (message in done.stderr) if message else done.stdout.startswith("tiny: no mistakes."), done.stderr


def test_a_fault_is_reported_of_the_file_that_has_it(empty):
    empty.study(name="base")
    base, local, tuned = paths.study_file("base"), paths.LOCAL_DATASETS, paths.tuned("base")
    write("extends: base\n", "middle")
    for folder in (local.parent, tuned.parent):
        folder.mkdir()
    whole, cell = base.read_text(), f"hyperparameters: {{{CELL}: "
    for file, text, message in [
        (base, f"{whole}threads: 0\n", "config/base.yaml: threads: 0: "),
        (base, f"{whole}tuned: base\n", "config/base.yaml: tuned: config/tuned/base.yaml is missing"),
        (base, f"{whole}plugins: [nowhere.py]\n", "config/base.yaml: plugins: 'nowhere.py': no such file"),
        (base, f"{whole}seeds: 0\n", "config/base.yaml: seeds: unknown key 'seeds'"),
        (local, "digits: {source: digts}", "config/local/datasets.yaml: digits.source: unknown data source 'digts'"),
        (local, "digits: {path: 3}", "config/local/datasets.yaml: digits: path: 3: "),
        (local, "digits: {path: x}", "config/local/datasets.yaml: digits.path: 'x': source 'digits' does not use it"),
        (tuned, f"{cell}{{ft: {{lr: -1}}}}}}", f"config/tuned/base.yaml: hyperparameters.{CELL}.ft: lr: -1: "),
        (
            tuned,
            f"{cell}{{ft: 3}}}}",
            f"config/tuned/base.yaml: hyperparameters.{CELL}: {{'ft': 3}}: accepted is a map",
        ),
        (tuned, f"{cell}3}}", f"config/tuned/base.yaml: hyperparameters.{CELL}: 3: accepted is a mapping"),
    ]:
        base.write_text(whole if file != tuned else f"{whole}tuned: base\n")
        file.write_text(text)
        write("extends: middle\nseed: 3\n")
        assert call("check", "tiny").stderr.startswith(f"error: {message}"), message
        if file != base:
            file.unlink()
    base.write_text(whole)
    write("extends: middle\nseed: -3\n")
    assert call("check", "tiny").stderr.startswith("error: config/tiny.yaml: seed: -3: ")


def test_a_folder_that_this_machine_names_is_looked_for_there(empty):
    paths.LOCAL_DATASETS.parent.mkdir(parents=True)
    paths.LOCAL_DATASETS.write_text("mine: {source: folder, path: nowhere}\n")
    mine = {"source": "official", "checksum": f"md5:{'0' * 32}"}
    with contextlib.suppress(BadInput):
        empty.study({"datasets": {"mine": mine}})
    assert call("check", "tiny").stderr == f"error: {paths.LOCAL_DATASETS}: mine.path: there is no folder nowhere\n"


def test_a_study_that_extends_another_removes_only_what_is_there(empty):
    empty.study()
    extended = paths.study_file("tiny").read_text()
    write(extended, "base")
    write("extends: base\ntables: {table8: null}\n")
    assert call("check", "tiny", check=True).stdout.startswith("tiny: no mistakes. It shows table2. ")
    for text, message in [
        ("extends: base\ntables: {tabel8: null}\n", "tables.tabel8: null: unknown inherited entry 'tabel8'; did you "),
        (
            "extends: base\nhyperparameters: {'*': {unlearning: {epoch: null}}}\n",
            "hyperparameters.*.unlearning.epoch: null: unknown inherited entry 'epoch'; did you mean 'epochs'?",
        ),
        ("extends: bases\n", "unknown study 'bases'; did you mean 'base'? Accepted: base\n"),  # not itself
    ]:
        write(text)
        done = call("check", "tiny")
        assert done.returncode == 2 and message in done.stderr, done.stderr


def test_hyperparameters_of_a_wrong_type_are_refused_beside_tuned_values_too(empty):
    paths.TUNED.mkdir(parents=True)
    paths.tuned("tiny").write_text("hyperparameters: {'*': {ft: {lr: 0.1}}}\n")
    for value in (["ft"], "ft"):
        message = refused(empty, {"tuned": "tiny", "hyperparameters": value})
        assert message.startswith("hyperparameters: ") and "accepted is a mapping of names to what they are" in message


# A method "half", the second of the table, and the architecture of its cell.
CLASS = "@METHODS.register('half')\nclass Half(Method):\n    "
SETTINGS = f"from pydantic import field_validator\n{CLASS}class Settings(Recipe):\n        "
MODEL = "@ARCHITECTURES.register('mine')\ndef mine(classes, image_shape):\n    return "
PLUGINS = {
    "@METHODS.register('half')\ndef half(model): ...": "accepted is a class derived from ",
    "@METHODS.register('half')\nclass Half: ...": "accepted is a class derived from ",
    f"{CLASS}class Settings: ...": "Settings: accepted is a class derived from ",
    f"{CLASS}def prepair(self, model): ...": "'prepair' is no part of a method; did you mean 'prepare'",
    f"{CLASS}contrastiv = True": "'contrastiv' is no part of a method; did you mean 'contrastive'",
    f"{CLASS}def loss(self, outputs): ...": "loss(self, outputs): accepted is loss(self, outputs, batch, epoch)",
    f"{CLASS}def prepare(self, model, *, rate): ...": "prepare(self, model, rate): accepted is prepare(self, model)",
    f"{CLASS}def loss(self, outputs, batch, epoch): outputs['retain'].logits.sum()": "method Half: loss returns None",
    f"{CLASS}loss = lambda self, outputs, batch, epoch: outputs['retain'].features[:, 0]": "a tensor of shape (32,)",
    f"{CLASS}loss = lambda self, outputs, batch, epoch: outputs['retain'].features.sum().detach()": (
        "loss returns a tensor without a gradient: accepted is one that follows from a part's features or logits"
    ),
    f"{CLASS}loss = lambda self, outputs, batch, epoch: outputs['forget'].features.sum()": (
        "loss uses the outputs of 'forget': accepted is a part of its step, retain"
    ),
    f"{SETTINGS}share = 0.5": "All model fields require a type annotation",
    f"{SETTINGS}share: set = {{1}}": "table2: method 'half': share: {1}: accepted is what JSON can hold: numbers, text",
    f"{SETTINGS}@field_validator('lr')\n        def check(cls, value):\n            return value / 0": (
        "hyperparameters of half: ZeroDivisionError: float division by zero (line 9)"
    ),
    "@METHODS.register\nclass Half(Method): ...": "accepted is a name, as in register('my-name')",
    "METHODS.add('half', 'my_module')": "'my_module': accepted is a class, a function or 'module:name'",
    "METHODS.add('half', 'json:half')": "method 'half' is 'json:half', and there is none",
    "METHODS.add('my_half', Method)": "plugin.py': method name 'my_half'",
    "METHODS.add('half', Method, label=3)": "method 'half': label 3: accepted is one line of text",
    "METHODS.add('half', Method, label='Ft')": "labels: 'Ft' would stand for ft and half",
    "METHODS.add('half', Method, colour='red')": "method 'half': colour 'red': accepted is '#RRGGBB'",
    f"{CLASS}batches = lambda self, epoch: [{{'all': part}} for part in self.parts('retain', epoch)]": (
        "plugins: 'half': method Half: paper_units has no entry for the part 'all' of its steps"
    ),
    f"{CLASS}paper_units = {{'retain': 3, 'forget': 3}}\n    batches = lambda self, epoch: "
    "[{'forget': part} for part in self.parts('forget', epoch)]": "executed_units has no entry for the part 'forget'",
    f"{CLASS}batches = lambda self, epoch: self.parts('retain', epoch)": "Half: batches returns [Part(",
    f"{CLASS}batches = lambda self, epoch: None": "method Half: batches returns None: accepted is a list of steps",
    f"{CLASS}batches = lambda self, epoch: [{{'retain': 3}}]": "gives the part 'retain' as 3: accepted is a benchmark.",
    f"{CLASS}paper_units = {{'retain': -3}}": "an image of the part 'retain' costs -3: accepted is a number of forward",
    f"{CLASS}executed_units = {{'retain': '3'}}": "an image of the part 'retain' costs '3'",
    "import torch\nfrom benchmark.models.classifier import Classifier\n"
    f"{MODEL}Classifier(torch.nn.Flatten(), torch.nn.Linear(64, classes + 1))": (
        "architecture 'mine' gives logits of shape (2, 11) for 2 images and 10 classes: accepted is (2, 10)"
    ),
    f"{MODEL}None": "plugins: architecture 'mine' returns NoneType: accepted is a benchmark.",
    f"import torch\n{MODEL}torch.nn.Flatten()": "architecture 'mine' returns Flatten: accepted is",
    **{
        f"METHODS.add({name!r}, Method)": "accepted are lower-case words"
        for name in ("Half", "half method", "half@x=1", "half+cl", "", "-half", "half\n")
    },
}


def test_a_plugin_that_breaks_the_contract_is_refused(empty):
    imports = (
        "from benchmark.methods.base import Method, Recipe\nfrom benchmark.registry import ARCHITECTURES, METHODS\n"
    )
    file = empty.root / "plugin.py"
    for code, message in PLUGINS.items():
        file.write_text(f"{imports}{code}\n")
        method, arch = "coun" if "mine" in code else "half", "mine" if "mine" in code else "convnet"
        change = table2(cells=[f"digits/{arch}/random-10"], methods=["ft", method])
        given = refused(empty, change | {"plugins": [str(file)]})
        assert message in given and "further information" not in given, code
    every = "[{'retain': Part(torch.arange(len(self.context.labels)), self.context.labels)}]"
    imports = f"import torch\nfrom benchmark.methods.base import Part\n{imports}"
    file.write_text(f"{imports}{CLASS}batches = lambda self, epoch: {every}\n")
    change = table2(methods=["ft", "half"]) | {"plugins": [str(file)], "hold_out": 10}
    assert "batches gives position 576: accepted are those of context.present" in refused(empty, change)
    file.write_text(f"{imports}METHODS.add('training', Method)\n")
    change = table2(methods=["ft", "training"]) | {"plugins": [str(file)]}
    assert "method 'training': a group of hyperparameters has that name: call it otherwise" in refused(empty, change)


def write(text: str, name: str = "tiny") -> None:
    paths.CONFIG.mkdir(exist_ok=True)
    paths.study_file(name).write_text(text, encoding="utf-8")


# Aliases that expand to endlessly many values: in lists and in mappings.
LISTS = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)
MAPPINGS = "a0: &a0 {x: 1, y: 2}\n" + "".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 30))


def test_a_file_that_is_no_mapping_of_settings_is_refused(empty):
    for text, message in [
        ("trials: 1\ntrials: 2\n", "line 2: key 'trials' is given twice"),
        ("datasets:\n  digits: {source: digits, source: digits}\n", "key 'source' is given twice"),
        ("trials: [1\n", "not readable as YAML"),
        ("- a\n- b\n", "holds a list: accepted is a mapping of settings"),
        ("# nothing yet\n", "is empty: accepted is"),
        ("datasets: {<<: {digits: {}, digits: {}}}\n", "line 1: key 'digits' is given twice"),
        ("labels: {<<: {ft: a}, <<: {not: b}}\n", "line 1: key '<<' is given twice"),
        ("labels: {<<: [ft]}\n", "line 1: accepted after '<<' is a mapping, or a list of them"),
        (
            "labels:\n\tft: FT\n",
            "character that cannot start any token in line 2, column 1 (line 2 is indented by a tab",
        ),
        ("? [a, b]\n: 1\n", "a key must be plain text"),
        ("x: !!python/object/apply:os.system ['touch executed']\n", "not readable as YAML"),
        ("trials: \x00\n", "not readable as YAML"),
        *((f"trials: {value}\n", "not readable as YAML") for value in ("!!int ''", "!!bool x", "!!timestamp x")),
        (LISTS, "100,000 values"),
        (MAPPINGS, "100,000 values"),
        ("tables: &tables {table2: *tables}\n", ""),
        ("plugins: &plugins [*plugins]\n", ""),
    ]:
        write(text)
        with pytest.raises(BadInput) as caught:
            Study.load("tiny")
        assert str(caught.value).startswith("config/tiny.yaml: ") and message in str(caught.value), text
        assert message or any(part in str(caught.value) for part in ("100,000 values", "not readable")), text
    assert not Path("executed").exists()


def test_a_key_is_text_whatever_it_looks_like(empty):
    empty.study({"labels": {}})
    file = paths.study_file("tiny")
    settings = "scored: {12: 'x/{trial}', true: 'y/{trial}'}\nlists: {<<: {3: c.csv}, 1e5: d.csv}\n"
    file.write_text(file.read_text() + settings)
    with without_new_plugins():
        study = Study.load("tiny")
    assert [*study.scored, *study.lists] == ["12", "true", "3", "1e5"]


def test_a_mapping_takes_over_others_wherever_they_stand_and_its_own_keys_win(empty):
    empty.study()
    file = paths.study_file("tiny")
    deeper = f"tune: {{hyperparameters: {{{CELL}: {{ft: &ft {{<<: {{lr: 0.3, epochs: 7}}, epochs: 5}}}}}}}}\n"
    file.write_text(file.read_text() + deeper + "relearning: {<<: *ft, epochs: null, every: 5}\n")
    data = read("tiny")
    assert data["tune"]["hyperparameters"][CELL]["ft"] == {"lr": 0.3, "epochs": 5}
    assert data["relearning"] == {"lr": 0.3, "epochs": None, "every": 5}
    two = "labels: {<<: [{ft: first, t: first}, {ft: second, t: second, not: second}], not: own}\n"
    file.write_text(two)
    assert [*read("tiny")["labels"].items()] == [("ft", "first"), ("t", "first"), ("not", "own")]


def test_a_study_name_that_is_no_plain_word_or_unknown_is_refused(empty):
    empty.study()
    for name in ("../tiny", "a/b", "", "a b", "x.yaml", "tiny\n", "; ls"):
        with pytest.raises(BadInput, match="accepted is the name of a file"):
            Study.load(name)
    with pytest.raises(BadInput, match=r"unknown study 'tinny'; did you mean 'tiny'\? Accepted: tiny"):
        Study.load("tinny")


def test_a_study_whose_tables_would_lie_among_the_papers_numbers_or_in_the_leaderboard_is_refused(empty):
    for name in ("reported", "leaderboard"):
        with pytest.raises(BadInput, match=f"config/{name}.yaml: paper_tables/{name}/ is of no study"):
            empty.study(name=name)


def test_extending_in_a_circle_or_what_is_no_study_is_refused(empty):
    for texts in ({"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "b"}):
        for name, parent in texts.items():
            write(f"extends: {parent}\n", name)
        with pytest.raises(BadInput, match="leads back to where it began: a -> "):
            Study.load("a")
    for parent in ("nobody", "[a]", "3", "../x"):
        write(f"extends: {parent}\n")
        with pytest.raises(BadInput, match="extends: unknown study 'nobody'" if parent == "nobody" else "tiny"):
            Study.load("tiny")
