"""What a study file may not say is refused in one line with the place, the value and what is accepted."""

import contextlib

from benchmark import paths
from benchmark.errors import BadInput
from tests.project import CELL, call, mistake, without_new_plugins
from tests.test_reading import write
from tests.test_study import hyper

CELL_8 = "digits/convnet/class-8"


def table2(**settings):
    return {"tables": {"table2": settings}}


BOTH = table2(methods=["ft", "not"])


def stages(cell):
    return {"figures": {"figure6": {"kind": "stages", "cells": [cell], "methods": ["ft"]}}}


def dataset(name="digits", **settings):
    return {"datasets": {name: settings}}


def refused(project, change) -> str:
    """Return the one line with which ``check`` refuses a change of the study; it makes nothing."""
    with contextlib.suppress(BadInput), without_new_plugins():
        project.study(change)
    before = sorted(project.root.iterdir())
    line, place = mistake("check", "tiny"), "error: config/tiny.yaml: "
    assert line.startswith(place) and sorted(project.root.iterdir()) == before, line
    return line.removeprefix(place).removesuffix("\n")


def test_an_unknown_name_is_refused_with_its_place_a_suggestion_and_what_is_accepted(empty):
    empty.study(name="other")
    for change, place, suggestion, accepted in [
        ({"only": ["tabel2"]}, "only", "table2", "table8"),
        ({"labels": {"fft": "FT"}}, "labels", "ft", "coun"),
        ({"colours": {"salum": "#000000"}}, "colours", "salun", "coun"),
        ({"memorisation": {"digts": "scores.csv"}}, "memorisation", "digits", "digits"),
        ({"trails": 3}, "trails", "trials", "datasets, description"),
        ({"extend": "quick"}, "extend", "extends", "tables, threads"),
        (hyper("*", trainin={"lr": 1}), "hyperparameters.*.trainin", "training", "unlearning"),
        (dataset(source="digts"), "datasets.digits.source", "digits", "parquet"),
        (dataset(augmentation={"pading": 1}), "datasets.digits.augmentation.pading", "padding", "flip, mean, padding"),
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


MD5 = f"md5:{'0' * 32}"
RGB, GREY = {"mean": [0.1] * 3, "std": [1] * 3}, {"mean": [0], "std": [1]}
# tests/test_mistaken_studies.py covers wrong types and values of single settings.
CHANGES = [
    ({"plugins": ["nowhere.py"]}, "plugins", "no such file"),
    ({"lists": {"mine": "nowhere.txt"}}, "lists.mine", "there is no file nowhere.txt"),
    ({"memorisation": {"digits": "nowhere.csv"}}, "memorisation.digits", "there is no file nowhere.csv"),
    ({"sequential": []}, "sequential", "[]: accepted is a mapping of settings to their values"),
    ({"resample": ["split", "split"]}, "resample", "'split' is listed twice"),
    ({"datasets": None}, "datasets", "missing; it is needed"),
    ({"datasets": {"Digits": {"source": "digits"}}}, "datasets", "'Digits'"),
    (dataset(augmentation={"mean": [1, 2]}), "datasets.digits.augmentation", "mean has 2"),
    (dataset(augmentation={"std": [0]}), "datasets.digits.augmentation", "std is [0.0]"),
    (dataset(augmentation=RGB), "datasets.digits.augmentation.mean", "accepted is 1 number"),
    (dataset(classes=["0", "0"]), "datasets.digits.classes", "'0' is listed twice"),
    (
        dataset("mine", source="folder", path="nowhere") | table2(cells=["mine/convnet/random-10"]),
        "datasets.mine.path",
        "there is no folder nowhere",
    ),
    (dataset("mine", source="folder", path="."), "datasets.mine.path", ". has no folder 'train'"),
    (dataset("mine", source="parquet", path="."), "datasets.mine.train", "matches 'train-*.parquet'"),
    (dataset(train="t**.parquet"), "datasets.digits.train: 't**.parquet'", "as a folder alone"),
    (dataset("mine", source="parquet"), "datasets.mine.path", "is missing: source 'parquet' needs"),
    (dataset("mine", source="folder", augmentation=GREY), "datasets.mine", "3 numbers"),
    (dataset("mine", source="parquet", path=".", checksum=MD5), f"datasets.mine.checksum: '{MD5}'", "does not use it"),
    (dataset("mnist", source="official"), "datasets", "unknown official dataset 'mnist'. Accepted: cifar10"),
    ({"plugins": ["config"]}, "plugins: 'config'", "accepted is a module or a .py file"),
    *(
        ({"labels": {"ft": label}}, f"labels.ft: {label!r}", "accepted is one line")
        for label in ("a\nb", "", " ", "_a")
    ),
    (BOTH | {"labels": {"ft": "Ours", "not": "ours"}}, "labels: 'ours'", "would stand for ft and not: give them two"),
    (BOTH | {"labels": {"ft": "NoT"}}, "labels: ", "ft and not"),
    (
        hyper("coun", lr=1),
        "hyperparameters.coun",
        "a pattern of cells, such as '*', with 'coun' and its settings below",
    ),
    (dataset(augmentation={"mean": [76.5], "std": [96.0]}), "datasets.digits.augmentation", "from 0 to 1"),
    ({"colours": {"ft": "red"}}, "colours.ft: 'red'", "accepted is '#RRGGBB', such as '#AA4499'"),
    ({"only": ["table2", "table2"]}, "only", "'table2' is listed twice"),
    (table2(kind="maps"), "tables.table2.kind", "'maps' is a kind of figure: accepted below 'figures' alone"),
    (hyper("*", unlearning={"warmup": 3}), "tables.table2: run", "warmup: 3: accepted is at most its 2 epochs"),
    (table2(methods=["coun@warmup=9"]), "tables.table2: run", "warmup: 9"),
    (hyper("*", unlearning={"batch_size": 150}), f"run '{CELL}/", "150: accepted is at most the 144 retain"),
    (
        {"datasets": {"digits": {"subset": 55}}} | hyper("*", unlearning={"batch_size": 50}),
        f"run '{CELL}/",
        "50: accepted is at most the 49 retain",  # 5.5 are forgotten, rounded half up
    ),
    (
        dataset(subset=20) | hyper("*", unlearning={"batch_size": 8}) | table2(cells=["digits/convnet/random-2"]),
        "scenario 'random-2'",
        "forgets no image of digits: accepted is a share of the 20 training images that rounds to one or more",
    ),
    (
        dataset(subset=60) | hyper("*", unlearning={"batch_size": 8}) | stages("digits/convnet/sequential-2x1"),
        "scenario 'sequential-2x1'",  # the first stage forgets 0.6 of an image, both together 1.2
        "forgets no image of digits at some stage",
    ),
    (hyper("*", training={"batch_size": 161}), "run 'digits/convnet/original/trial-0'", "batch_size: 161"),
    (table2(methods=["coun@cl_transform=CHJN"]), f"run '{CELL}/coun@cl_transform=CHJN/", "'CHJN': accepted for grey"),
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
    (table2(cells=["digits/convnet/class-hot dog"]), "tables.table2.cells: scenario", "'class-hot_dog'"),
    (table2(cells=["digits/../random-10"]), "tables.table2", "'digits/../random-10/"),
    (table2(cells=[]), "tables.table2.cells", "empty"),
    (table2(methods=[]), "tables.table2.methods", "empty"),
    (table2(methods=["coun", "ft+cl"]), "tables.table2.methods", "'coun' is listed twice"),
    (table2(methods=["NegGrad+"]), "tables.table2.methods: method 'NegGrad+'", "did you mean 'neggrad-plus'?"),
    (table2(methods=["coun@tau=x"]), "tables.table2: method 'coun@tau=x': tau", "'x'"),
    (table2(methods=["coun@tau=-1"]), "tables.table2: method 'coun@tau=-1': tau", "'-1'"),
    (table2(methods=["original@epochs=3"]), "tables.table2: method 'original@epochs=3'", "accepted is 'original'"),
    (table2(trials=9), "tables.table2.trials", "9"),
    (table2(classes=["8"]), "tables.table2.classes", "a table of kind 'unlearning' does not use it"),
    (table2(show="forget"), "tables.table2.show", "does not use it"),
    (table2(kind="hyperparameters", trials=1), "tables.table2.trials", "does not use it"),
    (stages(CELL), f"figures.figure6: cells: {CELL}", "accepted are sequential ones, such as digits/convnet/sequ"),
    (table2(studies=["tiny"]), "tables.table2.studies", "accepted is scale"),
    (table2(kind="claims", cells=[CELL]), f"tables.table2.cells: {CELL}", "of all runs that the study's other tables"),
    (table2(kind="effort", cells=[], methods=["ft"]), "tables.table2.methods: ft", "accepted is none"),
    (table2(kind="scale"), "tables.table2.studies", "empty"),
    (table2(kind="scale", studies=["tiny", "tiny"]), "tables.table2.studies", "twice"),
    ({"figures": {"f": {"kind": "cost", "cells": [CELL], "methods": ["retrain"]}}}, "figures.f: methods", "other"),
    ({"scored": {"Theirs": "theirs/{trial}.parquet"}}, "scored: method name 'Theirs'", "accepted are lower-case words"),
    ({"scored": {"theirs": "{dataset[0]}/x-{trial}.parquet"}}, "scored.theirs", "{dataset}"),
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
    (
        stages("digits/convnet/sequential-2x10") | hyper("*/*/sequential-*", training={"epochs": 2}),
        "hyperparameters.*/*/sequential-*.training: no run of digits/convnet/sequential-2x10 takes it",
        "or digits/convnet/random-20",
    ),
    (
        stages("digits/convnet/sequential-2x10") | hyper("*/*/random-20", ft={"lr": 1}),
        "hyperparameters.*/*/random-20.ft: no run of digits/convnet/random-20 takes it",
        "or digits/convnet/sequential-2x10",
    ),
    (hyper("*", ft={"schedule": "step"}), "hyperparameters.*.ft: schedule", "'step'"),
    (hyper("*", ft={"lr": 1e-5}), "", "final_lr is 0.0001, lr 1e-05"),
    (hyper("digits/vit/*", ft={"lr": 1}), "hyperparameters.digits/vit/*", "matches no cell"),
    (hyper("*/*/random10", ft={"lr": 1}), "hyperparameters.*/*/random10", "; did you mean 'digits/convnet/random-10'?"),
]


def test_a_wrong_value_is_refused_with_its_place(empty):
    for change, place, value in CHANGES:
        message = refused(empty, change)
        assert message.startswith(place) and value in message, (change, message)


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


def test_hyperparameters_of_a_wrong_type_are_refused_beside_tuned_values_too(empty):
    paths.TUNED.mkdir(parents=True)
    paths.tuned("tiny").write_text("hyperparameters: {'*': {ft: {lr: 0.1}}}\n")
    for value in (["ft"], "ft"):
        message = refused(empty, {"tuned": "tiny", "hyperparameters": value})
        assert message.startswith("hyperparameters: ") and "accepted is a mapping of names to what they are" in message
