"""The device that a job takes, and its memory. Processes and locks are real; the GPUs are pretended."""

import math
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.training import device, gpus, job
from benchmark.training.job import run
from benchmark.training.loop import Trainer
from tests.pool import pool_path, run_folder

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of locks, for this process and those it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(gpus.tempfile, "tempdir", None)
    monkeypatch.delenv(gpus.JOBS_PER_GPU, raising=False)
    monkeypatch.delenv(device.DEVICE, raising=False)
    device.take_gpu.cache_clear()
    yield tmp_path / f"unlearning-benchmark-{os.getuid()}"
    device.take_gpu.cache_clear()
    while gpus.held:
        gpus.held.pop().release()


@pytest.fixture
def start(locks: Path) -> Iterator[Start]:
    """Return a function that starts a process that takes a GPU, says which, and keeps it."""
    started = []

    def begin(names: list[str], slots: int = 1, remark: float = 120.0) -> subprocess.Popen[str]:
        code = f"import time; from benchmark.training import gpus; gpus.REMARK_SECONDS = {remark}"
        code += f"; print(gpus.take({names}, {slots}), flush=True)"
        command = [sys.executable, "-c", f"{code}; time.sleep(600)"]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def next_line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().strip()


@pytest.fixture
def pretend(locks: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Return a function that makes torch see GPUs and lists those set as the current one."""

    def see(*names: str) -> list[int]:
        current: list[int] = []
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "init", lambda: None)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda position: SimpleNamespace(uuid=names[position]))
        monkeypatch.setattr(torch.cuda, "set_device", current.append)
        return current

    return see


def test_each_job_has_a_gpu_of_its_own_and_a_killed_holder_leaves_it_to_the_next(start):
    holders = [start(["a", "b"]), start(["a", "b"])]
    positions = [next_line(holder) for holder in holders]
    assert sorted(positions) == ["0", "1"]
    for holder, position in zip(holders, positions, strict=True):
        waiting = start(["a", "b"])
        assert next_line(waiting) == "waiting for a GPU: 1 job(s) on each of 2"
        holder.send_signal(signal.SIGKILL)
        assert next_line(waiting) == position


def test_several_jobs_share_a_gpu_where_asked_once_every_gpu_has_one(start):
    assert [next_line(start(["a", "b"], 2)) for _ in range(4)] == ["0", "1", "0", "1"]
    assert next_line(start(["a", "b"], 2)) == "waiting for a GPU: 2 job(s) on each of 2"


def test_a_job_that_waits_says_so_again_lest_status_take_it_for_dead(start):
    assert next_line(start(["a"])) == "0"
    waiting = start(["a"], remark=0.1)
    assert next_line(waiting) == next_line(waiting) == "waiting for a GPU: 1 job(s) on each of 1"


def test_a_gpu_is_the_same_at_whatever_position_it_is_seen(start):
    assert next_line(start(["b"])) == next_line(start(["a", "b"])) == "0"
    assert next_line(start(["b", "a"])).startswith("waiting")
    assert next_line(start(["b", "a", "c"])) == "2"


def test_a_gpu_on_which_a_job_failed_is_left_alone_for_a_while_unless_all_are(pretend, start, locks, monkeypatch):
    pretend("GPU-1", "GPU-2")
    device.Device.choose("float32", threads=1)
    with pytest.raises(BadInput, match="the GPU ran out of memory"), device.explained("run x"):
        raise torch.OutOfMemoryError
    gpus.held.pop().release()  # as when that job's process ends
    assert next_line(start(["GPU-1", "GPU-2"])) == "1"
    waiting = next_line(start(["GPU-1", "GPU-2"]))
    assert waiting == "waiting for a GPU: 1 job(s) on each of 2; a job has just failed on 1 of them"
    assert next_line(start(["GPU-1"])) == "0"
    monkeypatch.setattr(gpus, "AVOIDED_SECONDS", 0.0)
    assert gpus.take(["GPU-1", "GPU-3"], 2) == 1 and gpus.take(["GPU-1", "GPU-3"], 2) == 0


@pytest.mark.parametrize("error", [RuntimeError("CUDA error: uncorrectable ECC error"), RuntimeError("sizes differ")])
def test_a_broken_gpu_is_left_alone_and_a_fault_of_the_code_blames_none(pretend, locks, error):
    pretend("GPU-1")
    device.Device.choose("float32", threads=1)
    with pytest.raises(RuntimeError, match=str(error)), device.explained("run x"):
        raise error
    assert (locks / "GPU-1.failed").exists() == ("CUDA" in str(error))


def test_locks_lie_outside_the_project_in_a_folder_of_the_users_own(project, pretend, locks):
    current = pretend("GPU-1", "GPU-2")
    chosen = device.Device.choose("float32", threads=1)
    assert chosen.device == torch.device("cuda", 0) and current == [0]
    assert [path.name for path in locks.iterdir()] == ["GPU-1.0.lock"]
    assert stat.S_IMODE(locks.stat().st_mode) == 0o700 and project.root not in locks.parents
    # A process has one GPU, however often it asks.
    assert device.Device.choose("float32", threads=1).device == chosen.device


def test_a_gpu_that_another_process_holds_is_passed_over(pretend, start):
    pretend("GPU-1", "GPU-2")
    assert next_line(start(["GPU-1"])) == "0"
    assert device.Device.choose("float32", threads=1).device == torch.device("cuda", 1)


def test_a_folder_of_another_user_is_refused(locks, monkeypatch):
    another = os.getuid() + 1
    locks.with_name(f"unlearning-benchmark-{another}").mkdir()
    monkeypatch.setattr(gpus.os, "getuid", lambda: another)
    with pytest.raises(BadInput, match="another user's: set TMPDIR"):
        gpus.take(["a"], 1)


def test_unknown_devices_ways_of_compiling_and_numbers_of_jobs_are_refused_by_name(monkeypatch):
    for text in ("0", "-1", "two", "1.5", "", "²"):
        monkeypatch.setenv(gpus.JOBS_PER_GPU, text)
        with pytest.raises(BadInput, match=rf"BENCHMARK_JOBS_PER_GPU={text}: accepted is a whole number from 1"):
            gpus.jobs_per_gpu()
    monkeypatch.setenv(device.DEVICE, "gpu")
    with pytest.raises(BadInput, match=r"unknown device 'gpu'; did you mean 'cpu'.* Accepted: auto, cpu, cuda$"):
        device.Device.choose("float32", 1)
    monkeypatch.setenv(device.COMPILE, "fast")
    with pytest.raises(BadInput, match="BENCHMARK_COMPILE: unknown way of compiling 'fast'"):
        device.compile_mode()


def test_the_precision_of_jobs_here_is_known_while_others_hold_every_gpu(pretend, start, monkeypatch):
    pretend("GPU-1")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert next_line(start(["GPU-1"])) == "0"
    assert device.uses_gpu() and device.resolved("auto") == "bfloat16" and device.resolved("float32") == "float32"


def test_on_the_cpu_nothing_is_locked(pretend, locks, monkeypatch):
    pretend("GPU-1")
    assert device.Device.choose("float32", threads=1, computes=False).device == torch.device("cpu")
    monkeypatch.setenv(device.DEVICE, "cpu")
    assert device.Device.choose("float32", threads=1).device == torch.device("cpu")
    monkeypatch.delenv(device.DEVICE)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.Device.choose("float32", threads=1).device == torch.device("cpu")
    assert not locks.exists()


def test_a_missing_gpu_is_one_line_and_no_run(project, monkeypatch):
    monkeypatch.setenv(device.DEVICE, "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInput, match=r"^BENCHMARK_DEVICE=cuda: there is no GPU on .* without one: cpu, auto$"):
        run(project.study(), project.name("ft"), "a test")
    assert not (run_folder("tiny", project.name("ft")) / paths.RUN).exists()


def test_auto_takes_bfloat16_where_the_processor_multiplies_fast_in_it(monkeypatch):
    chosen_on = {"fpu avx2 avx512f": "float32", "fpu avx512_bf16": "bfloat16", "": "float32"}
    # Matrix instructions are fast; where a virtual machine hides them, float32 is faster.
    chosen_on |= {"amx_bf16 avx512_bf16 avx512_fp16": "bfloat16", "avx512_bf16 avx512_fp16": "float32"}
    for flags, chosen in chosen_on.items():
        monkeypatch.setattr(device, "instruction_sets", lambda flags=flags: set(flags.split()))
        assert device.Device.choose("auto", 1).precision == chosen
        assert device.Device.choose("float32", 1).precision == "float32"


@pytest.mark.slow
def test_a_compiled_run_trains_the_same_model_and_nothing_is_compiled_unless_asked(project, shared, monkeypatch):
    model, plain = torch.nn.Linear(2, 2), shared.run("coun")
    assert device.compiled(model) is model
    modes, make = [], torch.compile
    # The compiler's front end without its back end: the graph is taken from the model and run as it is.
    monkeypatch.setattr(torch, "compile", lambda model, mode: modes.append(mode) or make(model, backend="eager"))
    monkeypatch.setenv(device.COMPILE, "default")
    ours = project.run(project.study(), project.name("coun"))
    assert modes == ["default"] and ours.record["stamp"]["precision"] == "float32, compiled"
    torch.testing.assert_close(ours.weights, plain.weights, rtol=1e-3, atol=1e-4)


ERRORS = {
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"): "the GPU",
    RuntimeError("CUDA error: out of memory"): "the GPU",
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"): "the GPU",
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"): "the GPU",
    RuntimeError("GET was unable to find an engine to execute this computation"): "the GPU",
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"): "this machine",
    MemoryError(): "this machine",
}


def test_out_of_memory_says_what_to_change_and_another_error_stays_as_it_is(monkeypatch):
    for error, where in ERRORS.items():
        monkeypatch.delenv(gpus.JOBS_PER_GPU, raising=False)
        with pytest.raises(BadInput) as caught, device.explained("run x", 32):
            raise error
        assert str(caught.value) == (
            f"run x: {where} ran out of memory at batch size 32: let fewer jobs run at once, or set a smaller "
            "batch_size in the study's hyperparameters"
        )
        monkeypatch.setenv(gpus.JOBS_PER_GPU, "4")
        shared = rf"^maps: {where} ran out of memory: let fewer.*\(BENCHMARK_JOBS_PER_GPU is 4\)$"
        with pytest.raises(BadInput, match=shared), device.explained("maps"):
            raise error
    with pytest.raises(BadInput, match="maps: batch_size leaves one image for the last"), device.explained("maps"):
        torch.nn.BatchNorm2d(3)(torch.zeros(1, 3, 1, 1))
    with pytest.raises(RuntimeError, match="sizes differ"), device.explained("maps"):
        raise RuntimeError("sizes differ")


def test_out_of_memory_is_one_line_and_costs_only_the_steps_since_the_last_save(project, shared, monkeypatch, capsys):
    study, name, step = project.study(), project.name("salun"), Trainer.train_step

    def full(trainer, *arguments):
        job.CHECKPOINT_SECONDS = math.inf if trainer.epoch else 0.0  # the last save is at the end of the first epoch
        if (trainer.epoch, trainer.step) == (1, 3):
            raise MemoryError
        step(trainer, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(job, "CHECKPOINT_SECONDS", 0.0)
        patch.setattr(Trainer, "train_step", full)
        with pytest.raises(BadInput, match=f"^run {name}: this machine ran out of memory at batch size 32: let"):
            run(study, name, "a test")
    assert (paths.work(pool_path(study, name)) / "checkpoint.pt").is_file()
    capsys.readouterr()
    end = project.run(study, name)
    printed = capsys.readouterr().out
    assert "resumed after epoch 1, step 0" in printed and "epoch 1/2" not in printed and "epoch 2/2" in printed
    assert end.measured.equals(shared.run("salun").measured) and end.samples.equals(shared.run("salun").samples)
    torch.testing.assert_close(end.weights, shared.run("salun").weights, rtol=0, atol=0)


FAULTS = """
import resource
import torch
from benchmark.training.device import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(16 * 2**20)  # 64 MiB: glibc gives as much back by default
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

by_default = faults()
if keep_freed_memory():
    faults()
    print(by_default, faults())
"""


def test_freed_memory_is_not_asked_for_again(project):
    printed = project.python(FAULTS)
    if not printed:
        pytest.skip("the C library cannot be told to keep memory")
    by_default, kept = map(int, printed.split())
    assert kept < by_default / 10


def test_float32_is_not_tf32(locks):
    backends = torch.backends.cudnn, torch.backends.cuda.matmul
    for backend in backends:
        backend.allow_tf32 = True
    device.Device.choose("float32", threads=1)
    assert not any(backend.allow_tf32 for backend in backends)
