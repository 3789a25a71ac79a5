"""Work is timed in turns, in this process and in others."""

import os
import time
from pathlib import Path

import pytest

from bench.timing import LEAST, Process, clock, in_turns


def turns(seconds: float, **options):
    calls_in_order: list[str] = []
    clocks = {name: lambda times, name=name: calls_in_order.append(name * times) or seconds for name in "ab"}
    return in_turns(clocks, **options), calls_in_order


@pytest.mark.parametrize(("settle", "order"), [(False, "abbaab"), (True, "aabbbbaaaabb")])
def test_work_takes_turns_after_a_warm_up_that_does_not_count(settle, order):
    seconds, calls_in_order = turns(2 * LEAST, repeats=3, settle=settle)
    assert "".join(calls_in_order) == "abab" + order
    assert seconds == {"a": [2 * LEAST] * 3, "b": [2 * LEAST] * 3}
    _, calls_in_order = turns(LEAST / 7.5, repeats=1)  # short work is repeated until a clock can tell
    assert calls_in_order[-2:] == ["a" * 8, "b" * 8]


class Sleep:
    def __init__(self, seconds: float):
        self.seconds, self.made_in = seconds, os.getpid()

    def __call__(self):
        assert self.made_in == os.getpid()
        time.sleep(self.seconds)


def test_a_clock_gives_the_seconds_of_one_call_and_the_errors_of_another_process():
    assert 0.01 <= clock(Sleep(0.01))(20) < 0.03  # the mean of many calls: one may be late on a busy machine
    with Process(Sleep, 0.02) as clock_there:
        assert 0.02 <= clock_there(20) < 0.04
        with pytest.raises(ZeroDivisionError):
            clock_there(0)


class Meeting:
    """Work that ends once that many processes do it at the same time."""

    def __init__(self, folder: Path, processes: int):
        self.folder, self.processes = folder, processes

    def __call__(self):
        (self.folder / str(os.getpid())).touch()
        deadline = time.monotonic() + 30
        while len(list(self.folder.iterdir())) < self.processes:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_copies_work_side_by_side(tmp_path):
    with Process(Meeting, tmp_path, 2, copies=2) as clock_there:
        assert clock_there(1) > 0
    assert len(list(tmp_path.iterdir())) == 2
