"""Work that is timed in another process."""

from __future__ import annotations

import os
import time

import pytest

from bench.away import process
from bench.timing import interleaved


class Piece:
    def __init__(self, seconds: float) -> None:
        self.seconds, self.pid, self.done = seconds, os.getpid(), 0

    def __call__(self) -> None:
        time.sleep(self.seconds)
        self.done += 1
        if self.done > 90:
            raise RuntimeError("too often")


def make(short: float, long: float) -> dict[str, Piece]:
    return {"short": Piece(short), "long": Piece(long)}


def nothing() -> None:
    """Wait for no device."""


def test_pieces_are_timed_where_they_are():
    with process(make, 0.01, 0.04, wait=nothing) as pieces:
        seconds = interleaved(pieces, repeats=3, least=0.0, settle=True)
        assert {name: piece.get("done") for name, piece in pieces.items()} == {"short": 8, "long": 8}
        assert os.getpid() != pieces["short"].get("pid") == pieces["long"].get("pid")
    assert all(taken >= 0.01 for taken in seconds["short"])
    assert all(taken >= 0.04 for taken in seconds["long"])


def test_a_piece_that_fails_is_named():
    with process(make, 0.0, 0.0, wait=nothing) as pieces, pytest.raises(RuntimeError, match="short"):
        pieces["short"].clocked(99)


def test_work_that_cannot_be_made_is_told():
    with pytest.raises(RuntimeError, match="could not make"), process(make, 0.0, wait=nothing):
        pytest.fail("nothing was made")
