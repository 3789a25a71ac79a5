"""One call of Snakemake: what it says while it works is kept short, and how it ended is summed up."""

from __future__ import annotations

import logging
import re
import textwrap
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmark import paths
from benchmark.errors import unknown
from benchmark.study.study import Study
from benchmark.workflow.status import counted, last_line, spell, state_of

LISTED = 5  # files in one line of Snakemake's messages, and failed jobs of one kind in the summary
WIDTH = 120
NO_RULE = re.compile(r"MissingRuleException[^\n]*\n\s*No rule to produce ([^\s/]+) ")  # what has a folder is a file
# What is not reached, for people: the rules that serve many files by how many, the others by what they make.
MANY = {"run": ("run", "runs"), "split": ("split", "splits"), "embed": ("file of features", "files of features")}
MANY["weights"] = "run's weights", "runs' weights"
ONE = {"collect": "the gathered results", "page": "the page"}


class Session(logging.Filter):
    """Follows the events that Snakemake logs, all of which pass through it, even what ``--quiet`` leaves out later."""

    def __init__(self, study: Study) -> None:
        super().__init__()
        self.study, self._clock = study, time.monotonic()
        self._failed: dict[int, tuple[str, str]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Remember what an event says of a job, and shorten its lists of files; every event passes."""
        said: dict[str, Any] = vars(record)
        event = said.get("event")
        if event == "job_error":
            self._failed[said["jobid"]] = said["rule_name"], _fault(said["log"], said["rule_msg"])
        elif missing := NO_RULE.match(str(record.msg)):
            targets = [*self.study.outputs, "all", "collect", "page", "tune"]
            record.msg = str(unknown("target", missing[1], targets, f"study {self.study.name}"))
        elif str(record.msg).startswith("Nothing to be done"):
            places = {"Tables": paths.TABLES / self.study.name, "Page": paths.page(self.study.name)}
            record.msg += "".join(f" {what}: {place}." for what, place in places.items() if place.exists())
        for key in ("input", "output"):
            if event in ("job_info", "job_error") and len(said[key]) > LISTED:
                said[key] = [*said[key][:LISTED], f"… ({len(said[key])} files)"]
        if event == "job_info" and len(said["reason"]) > 3 * WIDTH:
            said["reason"] = textwrap.shorten(said["reason"], 3 * WIDTH, placeholder=" …")
        return True

    def success(self, dag: Any) -> str:
        """Return what was done and where the results are, with the main table among those that were drawn.

        ``dag`` is Snakemake's, with the jobs of this call.
        """
        study, done = self.study, by_rule(dag.finished_jobs)
        tables, figures = (
            [name for name in study.outputs if study.section_of(name) == section and done[f"draw_{name}"]]
            for section in ("tables", "figures")
        )
        files = {
            "tables": _pattern(study, "tables", tables),
            "figures": _pattern(study, "figures", figures),
            "page": str(paths.page(study.name)) if done["page"] else "",
            "numbers": str(paths.collected(study.name, "*")) if done["collect"] else "",
        }
        took = spell(time.monotonic() - self._clock)
        head = f"Study {study.name}: {done['run']} run{'s' * (done['run'] != 1)} trained in {took}. {self._standing()}"
        return "\n".join(
            ["", head, *(f"  {what:8} {where}" for what, where in files.items() if where), *self._main(tables)]
        )

    def failure(self, dag: Any) -> str:
        """Return which jobs failed, each with the last line of its log, and what was not reached for that."""
        left = {dag.jobid(job): job for job in dag.needrun_jobs()}
        failed = {job: fault for job, fault in self._failed.items() if job in left}  # a later attempt may succeed
        what = f"{len(failed)} {'job' if len(failed) == 1 else 'jobs'} of study {self.study.name} failed:"
        lines = ["", what if failed else f"Study {self.study.name} was stopped."]
        of_rule: dict[str, list[str]] = {}
        for rule, fault in failed.values():
            of_rule.setdefault(rule, []).append(fault)
        for rule, faults in of_rule.items():
            lines += [f"  {rule}: {fault}" for fault in faults[:LISTED]]
            if len(faults) > LISTED:
                lines.append(f"  {rule}: {len(faults) - LISTED} more; 'status' lists them")
        behind = by_rule(job for number, job in left.items() if number not in failed)
        if reached := [text for rule, count in behind.items() if (text := self._unreached(rule, count))]:
            text = f"Not reached: {', '.join(reached)}"
            lines.append(textwrap.fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False))
        lines.append(
            f"{'Once the cause is removed, the' if failed else 'The'} same command continues from here. "
            f"'python -m benchmark status {self.study.name}' shows the state of every run."
        )
        return "\n".join(lines)

    def _standing(self) -> str:
        states = [state_of(self.study, run) for run in self.study.runs()]
        counts = ", ".join(f"{count} {state}" for state, count in counted(states).items())
        seconds = sum(state.seconds or 0.0 for state in states)
        return f"All its {len(states)} runs: {counts} ({spell(seconds)} of computing)."

    def _unreached(self, rule: str, count: int) -> str:
        if rule in MANY:
            return f"{count} {MANY[rule][count > 1]}"
        if rule in self.study.outputs or rule == "all":
            return ""  # a target, which makes nothing itself
        return ONE.get(rule, rule.removeprefix("draw_"))

    def _main(self, tables: list[str]) -> list[str]:
        """Return the first table of gaps among those that were drawn, as text; else the only table, if there is one."""
        gaps = [name for name in tables if self.study.output(name).kind == "unlearning"]
        for name in gaps[:1] or tables[: len(tables) == 1]:
            text = paths.table(self.study.name, name, ".md").read_text(encoding="utf-8")
            return ["", f"{name}: {self.study.output(name).caption}", *aligned(text)]
        return []


def by_rule(jobs: Iterable[Any]) -> Counter[str]:
    """Count Snakemake's jobs by the name of their rule."""
    return Counter(job.rule.name for job in jobs)


def aligned(markdown: str) -> list[str]:
    """Return the tables in a Markdown text as columns of plain text, and the lines in bold that stand above them."""
    shown = [line for line in markdown.splitlines() if line.startswith(("| ", "**")) and not line.startswith("| :--")]
    plain = [line.replace("**", "").removeprefix("| ").removesuffix(" |").split(" | ") for line in shown]
    rows = [cells for cells, line in zip(plain, shown, strict=True) if line.startswith("|")]
    first, *widths = (max(map(len, column)) for column in zip(*rows, strict=False))
    lines = []
    for cells, line in zip(plain, shown, strict=True):
        if line.startswith("|"):
            values = [f"{cell:>{width}}" for cell, width in zip(cells[1:], widths, strict=False)]
            lines.append("  ".join(["", f"{cells[0]:{first}}", *values]))
        else:
            lines += ["", cells[0]]
    return lines


def _fault(logs: list[str], message: str | None) -> str:
    for log in logs:
        if line := last_line(Path(log)):
            return f"{line} (log: {log})"
    return message or f"ended without a message ({', '.join(logs) or 'it has no log'})"


def _pattern(study: Study, section: str, names: list[str]) -> str:
    """Return the files of drawn tables, or of drawn figures, as a shell's pattern."""
    if not names:
        return ""
    files = paths.drawn(section, study.name, names[0] if len(names) == 1 else "*")
    return str(files[0].with_suffix(f".{{{','.join(file.suffix[1:] for file in files)}}}"))
