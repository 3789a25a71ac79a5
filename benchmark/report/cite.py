"""The origin of a number or a table, as text, as plain data and as BibTeX."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmark import __version__, paths
from benchmark.errors import number_of
from benchmark.files import sha256
from benchmark.metrics.bootstrap import mean_interval
from benchmark.metrics.samples import METRICS
from benchmark.names import DIVERGED, MethodName
from benchmark.report.tabular import DASH, interval, number, remake
from benchmark.results.provenance import Behind, RecordedRun
from benchmark.study.runs import SHORT

REFERENCES = Path(__file__).parent / "templates" / "references.bib"
SOFTWARE, PAPER = "unlearning-benchmark", "coun"
SOURCES = {"neggrad-plus": "scrub"}  # keys of methods whose entry is not under their own name
WIDTH = 110
DIGEST = 16  # digits of a digest that text shows


def data(behind: Behind) -> dict[str, Any] | list[dict[str, Any]]:
    """Return the facts behind a table, or those of each run behind a number."""
    if behind.output:
        return _table(behind)
    return [run.facts(shown) for run, shown in zip(behind.runs, behind.shown_by(), strict=True)]


def text(behind: Behind) -> str:
    """Return the facts as text; those that several runs share are stated once."""
    facts = data(behind)
    if isinstance(facts, dict):
        return "\n".join(_lines(facts))
    at_best = behind.study is not None and behind.study.report_epoch == "best"
    note = ["numbers are of the last epoch; tables of the study have those of the best one"] * at_best
    if len(facts) == 1:
        return "\n".join([*note, *_lines(facts[0])])
    common = _common(facts)
    means = {f"mean of {method}": _means(trials) for method, trials in _by_method(behind.runs).items()}
    lines = [f"{behind.title}: {len(facts)} runs", *note, *_lines(means), "", "all of them", *_lines(common)]
    for run in facts:
        remaining = {topic: _without(value, common.get(topic)) for topic, value in run.items()}
        lines += ["", *_lines({topic: value for topic, value in remaining.items() if value})]
    return "\n".join(lines)


def _common(facts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the facts that all runs share, by topic; of a topic with several values, those that are equal."""
    common: dict[str, Any] = {}
    for topic, first in facts[0].items():
        if isinstance(first, dict):
            rest = [run[topic] for run in facts[1:]]
            common[topic] = {key: value for key, value in first.items() if all(run.get(key) == value for run in rest)}
        elif all(run[topic] == first for run in facts):
            common[topic] = first
    return {topic: value for topic, value in common.items() if value}


def _without(value: Any, common: Any) -> Any:
    """Return a topic's value without the part that is common to all."""
    if isinstance(value, dict):
        return {key: part for key, part in value.items() if key not in (common or {})}
    return None if value == common else value


def _by_method(runs: Iterable[RecordedRun]) -> dict[str, list[RecordedRun]]:
    """Return the trials of each method in each cell, by the name that they share."""
    trials: dict[str, list[RecordedRun]] = {}
    for run in runs:
        trials.setdefault(str(run.name).rpartition("/")[0], []).append(run)
    return trials


def _means(trials: list[RecordedRun]) -> dict[str, str] | str:
    """Return the metrics' means over the trials of a method, with 95 % intervals; none where a trial diverged."""
    if diverged := sum(run.record["status"] == DIVERGED for run in trials):
        return f"diverged in {diverged} of {len(trials)} trials"
    return {metric: _mean([run.numbers[metric] for run in trials if metric in run.numbers]) for metric in METRICS}


def _mean(values: list[float]) -> str:
    if not values:
        return DASH
    low, high = mean_interval(values)
    low, high = max(low, 0), min(high, 100)  # no percentage lies beyond
    return number(sum(values) / len(values)) + (f" {interval(low, high)}" if len(values) > 1 else "")


def _table(behind: Behind) -> dict[str, Any]:
    """Return the facts behind a table or figure, by topic."""
    study, name = behind.study, behind.output
    assert study is not None
    files = paths.drawn(study.section_of(name), study.name, name)
    drawn = study.receipt(name).is_file()
    stamps = [run.record["stamp"] for run in behind.runs]
    return {
        "output": f"{study.name} {name}: {' '.join(study.output(name).caption.split())}".removesuffix(": "),
        "fingerprint": study.output_fingerprint(name),
        "files": [f"{file} {sha256(file)}" for file in files if file.is_file()] or ["none here"],
        "state": "drawn as the study stands now" if drawn else "not drawn as the study stands now",
        "runs": len(behind.runs),
        "code": _counted(stamp.get("code") for stamp in stamps),
        "commits": _counted(stamp.get("commit") for stamp in stamps),
        "machines": _counted(f"{stamp.get('device')}, {stamp.get('precision')}" for stamp in stamps),
        "versions": _counted(f"torch {stamp.get('torch')}, python {stamp.get('python')}" for stamp in stamps),
        "images": _counted(stamp.get("data") for stamp in stamps),
        "shows": [
            f"{method}: {' '.join(dict.fromkeys(run.record['fingerprint'][:SHORT] for run in trials))}"
            for method, trials in _by_method(behind.runs).items()
        ],
        "again": remake(study.name, name),
    }


def _counted(values: Iterable[str | None]) -> dict[str, int]:
    """Return how many runs have each value, the most frequent first."""
    return dict(Counter(value or "not recorded" for value in values).most_common())


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    """Yield one line per topic, wrapped if long; a list has one line per item."""
    width = max(map(len, facts)) + 2
    for topic, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {_formatted(part)}" for key, part in value.items())
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            start = f"{topic if not index else '':{width}}"
            if text := _formatted(item):
                wrap = textwrap.TextWrapper(WIDTH, start, " " * width, break_long_words=False, break_on_hyphens=False)
                yield wrap.fill(text)


def _formatted(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if value is None:
        return ""
    return re.sub(rf"\b([0-9a-f]{{{DIGEST}}})[0-9a-f]{{48}}\b", r"\1", str(value))


# --- BibTeX -----------------------------------------------------------------------------------------------------------


def bibtex(behind: Behind) -> str:
    """Return an entry for the number or table, then those of the software, the paper and the methods."""
    entries = references()
    methods = [MethodName.parse(run.name.method).base for run in behind.runs]
    keys = dict.fromkeys([SOFTWARE, PAPER, *(SOURCES.get(method, method) for method in methods)])
    return "\n\n".join([_entry(behind), *(entries[key] for key in keys if key in entries)])


def references() -> dict[str, str]:
    """Return the entries of the software, the paper and the methods, by key: see `SOURCES`."""
    entries = re.split(r"\n\n(?=@)", REFERENCES.read_text(encoding="utf-8").strip())
    return {re.findall(r"\{([\w-]+),", entry)[0]: entry for entry in entries}


def _entry(behind: Behind) -> str:
    stamps = [run.record["stamp"] for run in behind.runs]
    ended = sorted(run.record["ended"] for run in behind.runs if "ended" in run.record)
    if behind.output:
        assert behind.study is not None
        key = f"{behind.study.name}-{behind.output}"
        caption = " ".join(behind.study.output(behind.output).caption.split())
        title = f"{behind.output} of study {behind.study.name}{f': {caption}' * bool(caption)}"
        identity = f"{number_of(len(behind.runs), 'run')}, fingerprint {behind.study.output_fingerprint(behind.output)}"
        csv = paths.table(behind.study.name, behind.output, ".csv")
        identity += f", {csv.name} with SHA-256 {sha256(csv)}" if csv.is_file() else ""
    else:
        fingerprints = [run.record["fingerprint"] for run in behind.runs]
        several = len(fingerprints) > 1
        key = re.sub(r"[^A-Za-z0-9]+", "-", behind.title) if several else f"run-{fingerprints[0][:SHORT]}"
        title = behind.title if several else str(behind.runs[0].name)
        identity = f"Fingerprint{'s' * several} {', '.join(fingerprints)}"
    origins = [f"{key} {_listed(stamps, key)}" for key in ("commit", "code") if _listed(stamps, key)]
    origins += [f"run until {ended[-1][:10]}"] if ended else []
    words = {"on": "device", "in": "precision", "with torch": "torch"}
    origins += [f"{word} {_listed(stamps, key)}" for word, key in words.items() if _listed(stamps, key)]
    fields = {
        "title": f"{{{_escaped(title)}}}",
        "author": "{{The unlearning-benchmark authors}}",
        **({"year": f"{{{ended[-1][:4]}}}"} if ended else {}),
        "version": f"{{{_listed(stamps, 'version') or __version__}}}",
        "note": f"{{{_escaped(', '.join([identity, *origins]))}}}",
    }
    width = max(map(len, fields))
    lines = ",\n".join(f"  {field:{width}} = {value}" for field, value in fields.items())
    return f"@misc{{{key},\n{lines}\n}}"


def _listed(stamps: list[dict[str, Any]], key: str) -> str:
    return ", ".join(dict.fromkeys(str(stamp[key]) for stamp in stamps if stamp.get(key)))


def _escaped(plain: str) -> str:
    return re.sub(r"[&%$#_{}]", r"\\\g<0>", plain)
