"""Work takes turns, here and in processes of its own."""

from __future__ import annotations

import os
import time

import pytest

from bench.timing import LEAST, Process, clock, in_turns


def clocks(done: list[str], seconds: float):
    return {name: lambda calls, name=name: done.append(name * calls) or seconds for name in "ab"}


@pytest.mark.parametrize(("settle", "turns"), [(False, "abbaab"), (True, "aabbbbaaaabb")])
def test_work_takes_turns_after_a_warm_up_that_does_not_count(settle, turns):
    done: list[str] = []
    seconds = in_turns(clocks(done, 2 * LEAST), repeats=3, settle=settle)
    assert "".join(done) == "abab" + turns
    assert seconds == {"a": [2 * LEAST] * 3, "b": [2 * LEAST] * 3}


def test_short_work_is_repeated_until_a_clock_can_tell():
    done: list[str] = []
    in_turns(clocks(done, LEAST / 7.5), repeats=1)
    assert done[-2:] == ["a" * 8, "b" * 8]


class Sleep:
    def __init__(self, seconds: float):
        self.seconds, self.maker = seconds, os.getpid()

    def __call__(self):
        assert self.maker == os.getpid()
        time.sleep(self.seconds)


def test_a_clock_gives_the_seconds_of_one_call():
    assert 0.01 <= clock(Sleep(0.01))(3) < 0.03


def test_work_of_another_process_is_made_and_timed_there_and_its_errors_come_back():
    with Process(Sleep, 0.02) as there:
        assert 0.02 <= there(2) < 0.04
        with pytest.raises(ZeroDivisionError):
            there(0)
