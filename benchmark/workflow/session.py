"""One call of Snakemake: its messages are shortened, and its outcome is summed up."""

from __future__ import annotations

import logging
import re
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmark import paths
from benchmark.errors import in_columns, number_of, unknown
from benchmark.study.study import Study
from benchmark.workflow.status import counted, last_line, spell, state_of

LISTED = 5  # files in a line of Snakemake's messages, and failed jobs of one rule in the summary
WIDTH = 120
NO_RULE = re.compile(r"MissingRuleException[^\n]*\n\s*No rule to produce ([^\s/]+) ")  # a name with a folder is a file
STOPPING = "Terminating processes on user request"  # what Snakemake says at Ctrl-C, before its jobs end
NO_BACKUP = "Cannot restore"  # of each output of a failed job, which by the rules was not there before
STOPPED = "stopped by SIG"  # the last line of the log of a run that a signal has stopped
# How unreached jobs are described: of rules that serve many files by their number, of others by what they make.
MANY = {"run": ("run", "runs"), "split": ("split", "splits"), "embed": ("file of features", "files of features")}
MANY["weights"] = "run's weights", "runs' weights"
ONE = {"collect": "the gathered results", "page": "the page"}


class Session(logging.Filter):
    """A filter that follows all events of Snakemake's log, even those that ``--quiet`` leaves out later."""

    def __init__(self, study: Study) -> None:
        super().__init__()
        self.study, self._clock = study, time.monotonic()
        self._failed: dict[int, tuple[str, str]] = {}
        self._stopping, self._error = False, ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Remember the failures that events report, and shorten their lists of files; all but `NO_BACKUP` passes."""
        fields: dict[str, Any] = vars(record)
        event = fields.get("event")
        if str(record.msg).startswith(STOPPING):
            self._stopping = True
        elif event == "job_error" and not self._stopping:
            self._failed[fields["jobid"]] = fields["rule_name"], _fault(fields["log"], fields["rule_msg"])
        elif missing := NO_RULE.match(str(record.msg)):
            targets = [*self.study.outputs, "all", "collect", "page", "tune"]
            fault = unknown("target", missing[1], targets, f"study {self.study.name}")
            record.msg = self.study.left_out(missing[1]) or str(fault)
        elif str(record.msg).startswith("Nothing to be done"):
            places = {"Tables": paths.TABLES / self.study.name, "Page": paths.page(self.study.name)}
            record.msg += "".join(f" {kind}: {place}." for kind, place in places.items() if place.exists())
        elif event == "error" and not self._stopping and fields.get("exception") != "RuleException":
            self._error = record.getMessage().partition("\n")[0]
        for key in ("input", "output"):
            if event in ("job_info", "job_error") and len(fields[key]) > LISTED:
                fields[key] = [*fields[key][:LISTED], f"… ({len(fields[key])} files)"]
        if event == "job_info" and len(fields["reason"]) > 3 * WIDTH:
            fields["reason"] = textwrap.shorten(fields["reason"], 3 * WIDTH, placeholder=" …")
        return not str(record.msg).startswith(NO_BACKUP)

    def success(self, dag: Any) -> str:
        """Return what was done and where the results are, with the main one of the tables that were drawn.

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
            "numbers": str(paths.gathered(study.name, "*")) if done["collect"] else "",
        }
        duration = spell(time.monotonic() - self._clock)
        trained = f"{number_of(done['run'], 'run')} trained in {duration}"
        lines = ["", f"Study {study.name}: {trained}. {self._run_counts()}"]
        lines += [f"  {kind:8} {path}" for kind, path in files.items() if path]
        return "\n".join([*lines, *self._main_table(tables)])

    def failure(self, dag: Any) -> str:
        """Return which jobs failed, each with the last line of its log, and what was not reached because of them."""
        unfinished = {dag.jobid(job): job for job in dag.needrun_jobs()}
        failed = {
            job: (rule, fault)
            for job, (rule, fault) in self._failed.items()
            if job in unfinished and not fault.startswith(STOPPED)  # finished: a later attempt succeeded
        }
        title = f"{number_of(len(failed), 'job')} of study {self.study.name} failed:"
        stopped = f"Study {self.study.name} was stopped" + (f": {self._error}" if self._error else ".")
        lines = ["", title if failed else stopped]
        of_rule: dict[str, list[str]] = {}
        for rule, fault in failed.values():
            of_rule.setdefault(rule, []).append(fault)
        for rule, faults in of_rule.items():
            lines += [f"  {rule}: {fault}" for fault in faults[:LISTED]]
            if len(faults) > LISTED:
                lines.append(f"  {rule}: {len(faults) - LISTED} more; 'status' lists them")
        waiting = by_rule(job for number, job in unfinished.items() if number not in failed)
        if unreached := [text for rule, count in waiting.items() if (text := self._unreached(rule, count))]:
            text = f"Not reached: {', '.join(unreached)}"
            lines.append(textwrap.fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False))
        lines.append(
            f"{'Once the cause is removed, the' if failed else 'The'} same command continues from here. "
            f"'python -m benchmark status {self.study.name}' shows the state of every run."
        )
        return "\n".join(lines)

    def _run_counts(self) -> str:
        states = [state_of(self.study, run) for run in self.study.runs()]
        if not states:
            return "It has no runs of its own."
        counts = counted(states)
        taken = spell(sum(state.seconds or 0.0 for state in states))
        if counts.keys() == {"done"}:
            return f"All {len(states)} of its runs are done; they took {taken} of computing."
        texts = ", ".join(f"{count} {state}" for state, count in counts.items())
        return f"All its {len(states)} runs: {texts}; those that are done took {taken} of computing."

    def _unreached(self, rule: str, count: int) -> str:
        if rule in MANY:
            return f"{count} {MANY[rule][count > 1]}"
        if rule in self.study.outputs or rule == "all":
            return ""  # a target, which makes nothing itself
        return ONE.get(rule, rule.removeprefix("draw_"))

    def _main_table(self, tables: list[str]) -> list[str]:
        """Return the first drawn table of gaps as lines of text; failing that the only drawn table."""
        gaps = [name for name in tables if self.study.output(name).kind == "unlearning"]
        for name in gaps[:1] or tables[: len(tables) == 1]:
            text = paths.table(self.study.name, name, ".md").read_text(encoding="utf-8")
            heading = ": ".join(filter(None, [name, self.study.output(name).caption]))
            return ["", heading, *aligned(text)]
        return []


class Errors(logging.Handler):
    """Prints the errors that end a call of Snakemake before its first job: ``--quiet all`` would leave them out too."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print an error, unless it is one job's."""
        if vars(record).get("event") == "error":
            print(record.getMessage(), file=sys.stderr, flush=True)


def by_rule(jobs: Iterable[Any]) -> Counter[str]:
    """Count Snakemake's jobs by the name of their rule."""
    return Counter(job.rule.name for job in jobs)


def aligned(markdown: str) -> list[str]:
    """Return the tables in a Markdown text as columns of plain text, with the lines in bold above them."""
    source = [line for line in markdown.splitlines() if line.startswith(("| ", "**")) and not line.startswith("| :--")]
    entries = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in source]
    plain = [[re.sub(r"\*\*|\\([\W_])", r"\1", entry) for entry in row] for row in entries]  # neither bold nor escaped
    rows = [cells for cells, line in zip(plain, source, strict=True) if line.startswith("|")]
    columns = iter(in_columns(rows, numbers=True))
    lines = []
    for cells, line in zip(plain, source, strict=True):
        lines += [f"  {next(columns)}"] if line.startswith("|") else ["", cells[0]]
    return lines


def _fault(logs: list[str], message: str | None) -> str:
    for log in logs:
        if line := last_line(Path(log)):
            return f"{line} (log: {log})"
    return message or f"ended without a message ({', '.join(logs) or 'it has no log'})"


def _pattern(study: Study, section: str, names: list[str]) -> str:
    """Return the files of drawn tables, or of drawn figures, as a shell pattern."""
    if not names:
        return ""
    files = paths.drawn(section, study.name, names[0] if len(names) == 1 else "*")
    return str(files[0].with_suffix(f".{{{','.join(file.suffix[1:] for file in files)}}}"))
