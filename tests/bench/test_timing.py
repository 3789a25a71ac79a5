"""Work takes turns, here and in processes of its own."""

import os
import time
from pathlib import Path

import pytest

from bench.timing import LEAST, Process, clock, in_turns


def turns(seconds: float, **options):
    done: list[str] = []
    clocks = {name: lambda calls, name=name: done.append(name * calls) or seconds for name in "ab"}
    return in_turns(clocks, **options), done


@pytest.mark.parametrize(("settle", "order"), [(False, "abbaab"), (True, "aabbbbaaaabb")])
def test_work_takes_turns_after_a_warm_up_that_does_not_count(settle, order):
    seconds, done = turns(2 * LEAST, repeats=3, settle=settle)
    assert "".join(done) == "abab" + order
    assert seconds == {"a": [2 * LEAST] * 3, "b": [2 * LEAST] * 3}
    _, done = turns(LEAST / 7.5, repeats=1)  # short work is repeated until a clock can tell
    assert done[-2:] == ["a" * 8, "b" * 8]


class Sleep:
    def __init__(self, seconds: float):
        self.seconds, self.maker = seconds, os.getpid()

    def __call__(self):
        assert self.maker == os.getpid()
        time.sleep(self.seconds)


def test_a_clock_gives_the_seconds_of_one_call_also_of_another_process_whose_errors_come_back():
    assert 0.01 <= clock(Sleep(0.01))(3) < 0.03
    with Process(Sleep, 0.02) as there:
        assert 0.02 <= there(2) < 0.04
        with pytest.raises(ZeroDivisionError):
            there(0)


class Meeting:
    """Work that ends once so many processes do it at the same time."""

    def __init__(self, folder: Path, processes: int):
        self.folder, self.processes = folder, processes

    def __call__(self):
        (self.folder / str(os.getpid())).touch()
        until = time.monotonic() + 30
        while len(list(self.folder.iterdir())) < self.processes:
            assert time.monotonic() < until
            time.sleep(0.01)


def test_copies_work_side_by_side(tmp_path):
    with Process(Meeting, tmp_path, 2, copies=2) as there:
        assert there(1) > 0
    assert len(list(tmp_path.iterdir())) == 2
