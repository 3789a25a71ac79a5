"""A build of torch whose operators are far too slow is named; a sound one is not."""

import torch

from benchmark import paths
from benchmark.files import write_record
from benchmark.training.operators import LEAST, slow_operators
from benchmark.workflow import cost
from benchmark.workflow.cost import without_gpu
from benchmark.workflow.preflight import other_precision
from tests.pool import made_up_record
from tests.project import call


def test_each_operator_below_its_least_rate_is_named_with_the_release():
    rates = iter([100.0, 100 * LEAST["matrix product"] - 1, 100 * LEAST["convolution"], 1e-3])
    first, second = slow_operators("bfloat16", lambda operation, operations: (operation(), next(rates))[1])
    assert first.startswith("matrix product in bfloat16: 0.29 of the rate of NumPy's float32 matrix product")
    assert second.startswith("gradients of a convolution in bfloat16: 1e-05 of") and torch.__version__ in second


def test_this_build_is_sound_in_float32():
    assert slow_operators("float32") == []


def test_check_warns_of_a_slow_operator_and_goes_on(project, monkeypatch):
    project.study()
    for lines, warning in (([], ""), (["convolution in float32: slow"], "warning: convolution in float32: slow\n")):
        monkeypatch.setattr("benchmark.training.operators.slow_operators", lambda precision, lines=lines: lines)
        done = call("check", "tiny", "--speed", check=True)
        assert done.stdout.endswith(warning) and "no mistakes" in done.stdout


def test_many_images_without_a_gpu_are_worth_a_word(project, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    study = project.study()
    assert without_gpu(study) == ""
    project.run(study, project.name("original"))
    left = study.runs()[1:]
    images = sum(160 * run.settings.epochs for run in left)
    monkeypatch.setattr(cost, "MANY_IMAGES", images - 1)
    assert without_gpu(study).startswith(f"no GPU is used, and the {len(left)} runs left pass 0 million images")
    monkeypatch.setattr("benchmark.training.operators.slow_operators", lambda precision: [])
    for device, count in (("auto", 1), ("cpu", 0)):
        monkeypatch.setenv("BENCHMARK_DEVICE", device)
        assert call("check", "tiny", "--speed", check=True).stdout.count("warning: no GPU is used") == count
    monkeypatch.setattr(cost, "MANY_IMAGES", images)
    assert without_gpu(study) == ""


def test_runs_that_another_machine_computed_in_another_precision_are_counted(project):
    study = project.study({"precision": "auto"})
    assert other_precision(study, "bfloat16") == ""  # none is finished
    for run, precision in zip(study.runs(), ("float32", "float32", "bfloat16"), strict=False):
        record = paths.run(run.pool_path) / paths.RUN
        record.parent.mkdir(parents=True)
        write_record(record, made_up_record(run, stamp={"precision": precision}))
    assert other_precision(study, "bfloat16").startswith("finished runs in float32: 2, and 'precision: auto' is bf")
    assert other_precision(study, "float32").startswith("finished runs in bfloat16: 1, and ")
    assert other_precision(project.study({"precision": "float32"}), "bfloat16") == ""
