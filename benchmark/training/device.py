"""Which device a job uses, in which precision, and what there is to say about both."""

from __future__ import annotations

import contextlib
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Device:
    """Where and how numbers are computed.

    Attributes
    ----------
    device : ``cpu`` or a CUDA device.
    precision : ``float32`` or ``bfloat16``, the choice of ``auto`` being made.
    """

    device: torch.device
    precision: str

    @classmethod
    def choose(cls, precision: str, threads: int) -> Device:
        """Take the GPU where there is one, and bfloat16 where ``precision`` is ``auto`` and the hardware has it."""
        torch.set_num_threads(threads)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if precision == "auto":
            precision = "bfloat16" if _has_bfloat16(device) else "float32"
        return cls(device, precision)

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return the context in which forward passes run."""
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    @property
    def name(self) -> str:
        """The processor or card, as its maker calls it."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else processor()

    def peak_memory_mb(self) -> float:
        """Return the most memory held so far, in MiB: the card's where there is one, else the process's."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

    def place(self, model: Model) -> Model:
        """Move a model to the device, convolutions in the memory layout in which they are fast."""
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return model.to(self.device)

    def wait(self) -> None:
        """Wait until the device has done what it was given, so that a clock can be read."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # A processor that only emulates it is slower than in float32.
    return any(flag in _cpuinfo("flags").split() for flag in ("avx512_bf16", "amx_bf16"))


def processor() -> str:
    """Return the processor's name."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(key: str) -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(key):
                return line.split(":", 1)[1].strip()
    return ""
