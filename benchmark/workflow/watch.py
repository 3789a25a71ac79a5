"""A view of a running study: a line for each job under way and one for the study, redrawn in place on a terminal."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from benchmark import paths
from benchmark.errors import in_columns
from benchmark.study.study import Study
from benchmark.workflow.status import BAD, ENDED, State, counted, failed_datasets, spell, state_of, time_left

INTERRUPTED = 128 + signal.SIGINT


class Watch:
    """A view of a study from its files alone, whoever runs it and wherever."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.runs = study.runs()
        self.at_once = 1
        self._ended: dict[str, tuple[int, State]] = {}

    def look(self) -> list[State]:
        """Return the present state of every run; an ended run is read again only when its record changes."""
        states = []
        for run in self.runs:
            try:
                modified = (paths.run(run.pool_path) / paths.RUN).stat().st_mtime_ns
            except OSError:
                modified = 0
            ended = self._ended.get(str(run.name))
            state = ended[1] if ended and ended[0] == modified else state_of(self.study, run)
            if state.state in ENDED:
                self._ended[str(run.name)] = (modified, state)
            states.append(state)
        # Between two jobs one fewer runs for a moment: the largest number seen counts.
        self.at_once = max(self.at_once, sum(state.state == "running" for state in states))
        return states

    def looks(self, seconds: float) -> Iterator[list[State]]:
        """Yield the state of every run, every ``seconds`` until the study is over."""
        while True:
            states = self.look()
            yield states
            if is_over(states) or (failed_datasets(self.study) and all(state.state != "running" for state in states)):
                return
            time.sleep(seconds)

    def total(self, states: Sequence[State]) -> str:
        """Return the line of the study: the number of runs in each state, and the time left."""
        if not states:
            return f"{self.study.name}: no runs of its own"
        counts = ", ".join(f"{count} {state}" for state, count in counted(states).items())
        line = f"{self.study.name}: {counts}, of {len(states)}"
        if is_over(states):
            return line
        seconds = time_left(states, self.at_once)
        remaining = "time left unknown" if seconds is None else f"{spell(seconds)} left at {self.at_once} at once"
        return f"{line} · {remaining}"


def is_over(states: Sequence[State]) -> bool:
    """Whether no run is under way or can still start: each has ended, has failed or is damaged, or its Original has."""
    bad = {state.run.name for state in states if state.state in BAD}
    return all(
        state.state in (*ENDED, *BAD) or (state.state == "left" and state.run.original in bad) for state in states
    )


def jobs_of(states: Sequence[State]) -> list[str]:
    """Return a line for each job under way, aligned in columns.

    Progress, time taken and left, run, last metrics, host: a narrow terminal cuts the last ones.
    """
    rows = [_job_columns(state) for state in states if state.state == "running"]
    return in_columns(rows)


def _job_columns(state: State) -> tuple[str, ...]:
    name, note = str(state.run.name), state.note
    if not note:
        return state.remark, "", name, "", ""
    measured = " ".join(f"{key} {value:.4g}" for key, value in note.get("measured", {}).items())
    clock = f"{spell(state.elapsed)}, {'?' if state.seconds_left is None else spell(state.seconds_left)} left"
    return f"epoch {note['epoch']}/{note['epochs']}", clock, name, measured, str(note["host"])


def watch(study: Study, seconds: float) -> int:
    """Show a study until it is over; return the exit status: 0, 1 if runs failed or are damaged, 130 after Ctrl-C.

    On a terminal the lines are redrawn in place, every ``seconds``; elsewhere they are printed when they change.
    """
    console = Console(highlight=False)
    view = Watch(study)
    try:
        states = _redrawn(view, console, seconds) if console.is_terminal else _printed(view, seconds)
    except KeyboardInterrupt:
        return INTERRUPTED
    failed = [state.line for state in states if state.state in BAD] + failed_datasets(study)
    for line in failed:
        console.print(line, markup=False, soft_wrap=True)
    return int(bool(failed))


def _redrawn(view: Watch, console: Console, seconds: float) -> list[State]:
    """Redraw the study's line in bold above those of its jobs, each cut at the width of the terminal."""
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        for states in view.looks(seconds):
            texts = [Text(view.total(states), "bold"), *map(Text, jobs_of(states))]
            for text in texts:
                text.no_wrap, text.overflow = True, "ellipsis"
            live.update(Group(*texts), refresh=True)
    return states


def _printed(view: Watch, seconds: float) -> list[State]:
    printed: list[tuple[str, int]] = []
    for states in view.looks(seconds):
        progress = [(state.state, state.note["epoch"] if state.note else 0) for state in states]
        if progress != printed:
            print(view.total(states), *jobs_of(states), sep="\n  ", flush=True)
        printed = progress
    return states
