"""The promises of every method, tested on a miniature study: `python -m benchmark test`.

A promise is a function that raises `Broken` if a method does not keep it, and `Untested` if that cannot be told; its
docstring is the promise in words.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import yaml

from benchmark import paths
from benchmark.contract.miniature import CELL, NAME, STAGES, TRAIN, Ended, MethodTest, make_study, miniature
from benchmark.data.splits import forgotten
from benchmark.errors import BadInput, line_of, number_of
from benchmark.names import FINISHED, ORIGINAL, MethodName
from benchmark.results import records
from benchmark.study.plugins import method_class
from benchmark.study.prepare import held_out


class Broken(Exception):
    """A promise that a method does not keep; the message says what the method did instead."""


class Untested(Exception):
    """A promise that cannot be tested; the message says why."""


class Finding(NamedTuple):
    """A promise in words, what the method did instead, and why it was not tested: both empty if it is kept."""

    promise: str
    instead: str = ""
    untested: str = ""


def ends_well(test: MethodTest, first_run: Ended) -> None:
    """It trains to the end, and its outputs are finite numbers."""
    if first_run.status != FINISHED:
        epoch, step = first_run.trainer.diverged or (0, 0)
        raise Broken(f"with its defaults it diverged in epoch {epoch + 1}, step {step + 1}")


def repeats(test: MethodTest, first_run: Ended) -> None:
    """It repeats bit for bit, whatever the state of the global random generators."""
    if not test.run(seed=1000).same(first_run):
        raise Broken("a second run differs: it draws from other streams than self.context.streams")


def resumes(test: MethodTest, first_run: Ended) -> None:
    """A run that is stopped and resumed equals one that is not, bit for bit; so does one of several stages."""
    for scenario, ended in {CELL.scenario: first_run, **({STAGES: test.staged} if test.has_stages else {})}.items():
        half = ended.pauses // 2  # the end of the first epoch or stage: a later one begins with the next pause
        stops = sorted({1, half, half + 1, ended.pauses} - {0})
        if not test.run(scenario=scenario, stops=stops, seed=2000).same(ended):
            raise Broken("it differs: something that it remembers from step to step is not in the model's weights")


def repeats_its_steps(test: MethodTest, first_run: Ended) -> None:
    """batches(epoch) gives the same steps on every call, and other steps for another epoch."""

    def steps(epoch: int) -> list[dict[str, tuple[list[int], list[int]]]]:
        batches = first_run.trainer.method.batches(epoch)
        return [{name: (part.index.tolist(), part.label.tolist()) for name, part in step.items()} for step in batches]

    if steps(0) != steps(0):
        raise Broken("a second call for epoch 0 gives other steps")
    if steps(0) and steps(0) == steps(1):
        raise Broken("epochs 0 and 1 have the same steps: are the samples shuffled only once?")


def leaves_absent_data_alone(test: MethodTest, first_run: Ended) -> None:
    """It loads nothing that is held out or, in sequential removal, that an earlier stage removed."""
    unseen = set(held_out(test.study, test.resolved(), TRAIN).tolist())
    if loaded := unseen & {index for _, part in first_run.loaded for index in part.index.tolist()}:
        raise Broken(f"it loads {number_of(len(loaded), 'sample')} that are held out")
    if not test.has_stages:
        return
    removed = set(forgotten(records.forget_rows(test.study, test.resolved(STAGES)), stage=1).tolist())
    later = {index for stage, part in test.staged.loaded if stage > 1 for index in part.index.tolist()}
    if reloaded := later & removed:
        raise Broken(f"its second stage loads {number_of(len(reloaded), 'sample')} that the first removed")


def runs_in_bfloat16(test: MethodTest, first_run: Ended) -> None:
    """It trains in bfloat16 as well."""
    content = yaml.safe_load(paths.study_file(NAME).read_text(encoding="utf-8"))
    bfloat16_test = replace(test, study=make_study(f"{NAME}-bfloat16", content | {"precision": "bfloat16"}))
    if test.method.base != ORIGINAL:
        bfloat16_test.run(ORIGINAL)
    if bfloat16_test.run().status != FINISHED:
        raise Broken("it diverged, though not in float32: are losses computed in float32?")


def accepts_contrastive_term(test: MethodTest, first_run: Ended) -> None:
    """With the contrastive term at weight 0 it equals itself without the term."""
    if test.method.contrastive:
        raise Untested("it has the term; test the method without '+cl'")
    if not first_run.trainer.method.contrastive:
        raise Untested("its class does not set 'contrastive'")
    with_term = str(MethodName(test.method.base, True, tuple(sorted([*test.method.settings, ("lambda", "0")]))))
    if not test.run(with_term).samples.equals(first_run.samples):
        raise Broken(f"{with_term} differs: its steps need a part 'retain', and its loss the method's own")


Promise = Callable[[MethodTest, Ended], None]
PROMISES: list[Promise] = [
    ends_well,
    repeats_its_steps,
    leaves_absent_data_alone,
    runs_in_bfloat16,
    repeats,
    resumes,
    accepts_contrastive_term,
]
# Unless they are kept, those after them cannot be tested.
FIRST: dict[Promise, str] = {ends_well: "it does not train to the end", repeats: "it does not repeat"}


def examine(method: str, plugins: Sequence[str], promises: Sequence[Promise] = PROMISES) -> list[Finding]:
    """Test the promises of a method; raise `BadInput` as `miniature` does.

    If the first run ends in an error, that is the only finding. Others are not tested where one of `FIRST` is broken.
    """
    with miniature(method, plugins) as test:
        runs: list[Ended] = []
        module = method_class(test.method).__module__
        findings = [_finding("It does a run.", lambda: runs.append(test.first_run()), module)]
        if not runs:
            return findings
        obstacle = ""
        for promise in promises:
            words, attempt = str(promise.__doc__), partial(promise, test, runs[0])
            findings.append(Finding(words, untested=obstacle) if obstacle else _finding(words, attempt, module))
            obstacle = obstacle or (FIRST.get(promise, "") if findings[-1].instead else "")
        return findings[1:]


def broken(method: str, plugins: Sequence[str] = (), promises: Sequence[Promise] = PROMISES) -> list[Finding]:
    """Return the promises that a method does not keep."""
    return [finding for finding in examine(method, plugins, promises) if finding.instead]


def _finding(promise: str, attempt: Callable[[], object], module: str) -> Finding:
    """Return whether an attempt ends well; the place of an error is in the method's ``module`` where it has been."""
    try:
        attempt()
    except Untested as error:
        return Finding(promise, untested=str(error))
    except (Broken, BadInput) as error:
        return Finding(promise, str(error))
    except Exception as error:  # anyone may have written the method
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = line_of(error, module) or f" ({Path(last.filename).name}, line {last.lineno})"
        return Finding(promise, f"{type(error).__name__}: {error}{place}")
    return Finding(promise)
