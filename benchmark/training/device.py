"""Device, precision and memory of this process, and whether its models are compiled.

Compiling is off unless the environment variable BENCHMARK_COMPILE names a mode. On a CPU most jobs end before it pays
off, as the benchmark's section ``alternatives`` measures; on a GPU it may pay off, above all for small networks, whose
steps are many short kernels. A user's jobs on a machine share torch's compiled code (TORCHINDUCTOR_CACHE_DIR).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from benchmark.errors import BadInput, unknown
from benchmark.stamp import instruction_sets, processor_name
from benchmark.training import gpus

DEVICE = "BENCHMARK_DEVICE"
DEVICES = ("auto", "cpu", "cuda")
COMPILE = "BENCHMARK_COMPILE"
# All but the first are torch.compile's modes; `reduce-overhead` records CUDA graphs.
COMPILE_MODES = (OFF := "off", "default", "reduce-overhead", "max-autotune")
# What cuDNN says where it cannot allocate a workspace, among others.
NO_ENGINE = ("unable to find an engine", "valid cuDNN algorithm")
# From glibc's malloc.h.
TRIM_THRESHOLD, MMAP_MAX = -1, -4


@dataclass(frozen=True)
class Device:
    """Where numbers are computed, and in which precision."""

    device: torch.device
    precision: str  # float32 or bfloat16: auto is resolved

    @classmethod
    def choose(cls, precision: str, threads: int, computes: bool = True) -> Device:
        """Take a GPU if there is one, and bfloat16 if ``precision`` is ``auto`` and it is fast there.

        A job that only scores predictions made elsewhere does not compute, and takes none.

        The environment variable BENCHMARK_DEVICE may insist on ``cuda`` or ``cpu``. The process holds its GPU until it
        ends, and waits while other jobs hold them all. From then on it keeps the memory that it frees.
        """
        prepare_process(threads)
        device = take_gpu() if computes and uses_gpu() else torch.device("cpu")
        # Otherwise convolutions called float32 would read their inputs as TF32, with the mantissa of float16; so would
        # matrix products where TORCH_ALLOW_TF32_CUBLAS_OVERRIDE is set, as it is in NVIDIA's containers.
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        return cls(device, resolved(precision))

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return the context in which forward passes run."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    @property
    def name(self) -> str:
        """The processor or card, as its maker calls it."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else processor_name()

    def peak_memory_mb(self) -> float:
        """Return the most memory held so far, in MiB: the card's where there is one, else the process's."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_reserved(self.device) / 2**20
        return process_memory_mb()

    def place(self, model: nn.Module) -> nn.Module:
        """Move a model to the device, in the memory layout in which convolutions are fast."""
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return model.to(self.device)

    def wait(self) -> None:
        """Wait until the device has finished its work, so that a clock can be read."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def process_memory_mb() -> float:
    """Return the most memory that this process has held so far, in MiB, wherever it computes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def prepare_process(threads: int) -> None:
    """Set the number of threads of this process, and let it keep the memory that it frees."""
    torch.set_num_threads(threads)
    keep_freed_memory()


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees: steps are a tenth faster. Return whether its C library can.

    By default glibc returns every tensor of more than 32 MiB to the system at once, and the next step has the same
    pages mapped and zeroed again, one by one. The process never shrinks. No result depends on this.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, -1))


def _from_environment(variable: str, accepted: tuple[str, ...], kind: str) -> str:
    """Return the value of an environment variable, by default the first accepted one."""
    value = os.environ.get(variable, accepted[0])
    if value not in accepted:
        raise unknown(kind, value, accepted, variable)
    return value


def compile_mode() -> str:
    """Return ``off`` or the mode of `torch.compile` that the environment names."""
    return _from_environment(COMPILE, COMPILE_MODES, "way of compiling")


def compiled(model: nn.Module) -> Callable[..., Any]:
    """Return the model compiled, sharing its weights; the model itself where compiling is off."""
    return model if compile_mode() == OFF else torch.compile(model, mode=compile_mode())


def resolved(precision: str) -> str:
    """Return the precision of a job on this machine, without taking a GPU: that of a study, unless it is ``auto``."""
    if precision != "auto":
        return precision
    if uses_gpu():
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if _multiplies_fast_in_bfloat16() else "float32"


def _multiplies_fast_in_bfloat16() -> bool:
    """Return whether the processor's products in bfloat16 are faster than in float32.

    Intel's processors that also have float16 (Sapphire Rapids and later) are meant to use matrix instructions (AMX). A
    virtual machine may hide these, and the vector instructions that are left have half the rate of float32's.
    """
    has = instruction_sets()
    return "amx_bf16" in has or ("avx512_bf16" in has and "avx512_fp16" not in has)


def uses_gpu() -> bool:
    """Return whether a job on this machine takes a GPU; raise `BadInput` if it must, by the environment, and cannot."""
    choice = _from_environment(DEVICE, DEVICES, "device")
    if choice == "cpu":
        return False
    if choice == "cuda" and not torch.cuda.is_available():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        raise BadInput(
            f"{DEVICE}=cuda: there is no GPU on {platform.node()} (torch {torch.__version__}, "
            f"CUDA_VISIBLE_DEVICES {visible}); accepted without one: cpu, auto"
        )
    return torch.cuda.is_available()


@cache
def take_gpu() -> torch.device:
    """Wait for a GPU and hold it until this process ends; the same one however often it is called."""
    torch.cuda.init()  # until then torch counts the cards of a machine, of whose slices (MIG) a process sees one
    # A GPU's position among the visible ones differs from process to process; its UUID does not.
    uuids = [str(torch.cuda.get_device_properties(position).uuid) for position in range(torch.cuda.device_count())]
    position = gpus.take(uuids, gpus.jobs_per_gpu())
    torch.cuda.set_device(position)
    return torch.device("cuda", position)


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, the machine's or a GPU's."""
    # torch has a class of its own for it only where its own allocator for GPUs fails.
    texts = ("can't allocate memory", "CUDA error: out of memory", "STATUS_ALLOC_FAILED", *NO_ENGINE)
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(text in str(error) for text in texts)


@contextlib.contextmanager
def explained(activity: str, batch_size: int | None = None) -> Iterator[None]:
    """Turn two of torch's errors inside ``with`` into a `BadInput` that says what to change.

    They are a lack of memory, and a last batch of one image where a network's maps have shrunk to one pixel. A GPU that
    fails is left alone for a while (`gpus.avoid`). ``batch_size`` is the study's, if it decides how much memory the
    activity takes.
    """
    try:
        yield
    except (MemoryError, RuntimeError, ValueError) as error:
        if "more than 1 value per channel" in str(error):  # a batch norm's words
            size = "" if batch_size is None else f" {batch_size}"
            cause = f"batch_size{size} leaves one image for the last batch, and one pixel of it to a batch norm"
            raise BadInput(f"{activity}: {cause}: accepted is a batch_size that leaves more") from None
        texts = ("CUDA", "CUDNN", *NO_ENGINE)
        on_gpu = isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in texts)
        if on_gpu:
            gpus.avoid()
        if not out_of_memory(error):
            raise
        where = "the GPU" if on_gpu else "this machine"
        size = "" if batch_size is None else f" at batch size {batch_size}"
        change = "let fewer jobs run at once"
        if gpus.jobs_per_gpu() > 1:
            change += f" ({gpus.JOBS_PER_GPU} is {gpus.jobs_per_gpu()})"
        if size:  # the other way changes no result
            change += ", or set a smaller batch_size in the study's hyperparameters"
        raise BadInput(f"{activity}: {where} ran out of memory{size}: {change}") from None
