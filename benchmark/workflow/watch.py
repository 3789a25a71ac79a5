"""A study while it runs: a line a job under way and one for the study, redrawn in place on a terminal."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from benchmark import paths
from benchmark.study.study import Study
from benchmark.workflow.status import ENDED, State, counted, failed_datasets, spell, state_of, time_left

BAD = ("failed", "damaged")  # what nothing under way makes good
INTERRUPTED = 128 + signal.SIGINT


class Watch:
    """What is seen of a study from one look to the next; whoever runs it, and wherever, is not asked."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.runs = study.runs()
        self.at_once = 1
        self._ended: dict[str, tuple[int, State]] = {}

    def look(self) -> list[State]:
        """Return how every run stands now; what has ended is read again only when its record changes."""
        states = []
        for run in self.runs:
            try:
                changed = (paths.run(run.place) / paths.RUN).stat().st_mtime_ns
            except OSError:
                changed = 0
            before = self._ended.get(str(run.name))
            state = before[1] if before and before[0] == changed else state_of(self.study, run)
            if state.state in ENDED:
                self._ended[str(run.name)] = (changed, state)
            states.append(state)
        # Between two jobs one fewer runs for a moment: as many run at once as have been seen to.
        self.at_once = max(self.at_once, sum(state.state == "running" for state in states))
        return states

    def looks(self, seconds: float) -> Iterator[list[State]]:
        """Yield how every run stands, every so many seconds until the study is over."""
        while True:
            states = self.look()
            yield states
            if is_over(states) or (failed_datasets(self.study) and all(one.state != "running" for one in states)):
                return
            time.sleep(seconds)

    def total(self, states: Sequence[State]) -> str:
        """Return the line of the study: how many runs stand how, and the time left."""
        counts = ", ".join(f"{count} {state}" for state, count in counted(states).items())
        line = f"{self.study.name}: {counts}, of {len(states)}"
        if is_over(states):
            return line
        left = time_left(states, self.at_once)
        return f"{line} · {'time left unknown' if left is None else f'{spell(left)} left at {self.at_once} at once'}"


def is_over(states: Sequence[State]) -> bool:
    """Whether nothing is under way and nothing is left that could be: all has ended, has failed, or is damaged."""
    return all(state.state in (*ENDED, *BAD) for state in states)


def jobs_of(states: Sequence[State]) -> list[str]:
    """Return a line for each job under way, one below the other in columns.

    How far, how long so far and still, which run, what it last measured, where: a narrow terminal cuts the last.
    """
    rows = [_facts(state) for state in states if state.state == "running"]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _facts(state: State) -> tuple[str, ...]:
    name, note = str(state.run.name), state.note
    if not note:
        return state.remark, "", name, "", ""
    measured = " ".join(f"{key} {value:.4g}" for key, value in note.get("measured", {}).items())
    clock = f"{spell(state.elapsed)}, {'?' if state.left is None else spell(state.left)} left"
    return f"epoch {note['epoch']}/{note['epochs']}", clock, name, measured, str(note["host"])


def watch(study: Study, seconds: float) -> int:
    """Show a study until it is over; return the exit status: 0, 1 if runs failed or are damaged, 130 after Ctrl-C.

    On a terminal the lines are redrawn in place, every so many seconds; elsewhere they are printed when they change.
    """
    console = Console(highlight=False)
    view = Watch(study)
    try:
        states = _redrawn(view, console, seconds) if console.is_terminal else _printed(view, seconds)
    except KeyboardInterrupt:
        return INTERRUPTED
    failed = [f"{one.state}: {one.run.name}: {one.remark}" for one in states if one.state in BAD]
    failed += failed_datasets(study)
    for line in failed:
        console.print(line, markup=False, soft_wrap=True)
    return int(bool(failed))


def _redrawn(view: Watch, console: Console, seconds: float) -> list[State]:
    """Draw the study's line in bold above the others; what is too long for the terminal is cut at its end."""
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        for states in view.looks(seconds):
            texts = [Text(view.total(states), "bold"), *map(Text, jobs_of(states))]
            for text in texts:
                text.no_wrap, text.overflow = True, "ellipsis"
            live.update(Group(*texts), refresh=True)
    return states


def _printed(view: Watch, seconds: float) -> list[State]:
    before: list[tuple[str, int]] = []
    for states in view.looks(seconds):
        now = [(state.state, state.note["epoch"] if state.note else 0) for state in states]
        if now != before:
            print(view.total(states), *jobs_of(states), sep="\n  ", flush=True)
        before = now
    return states
