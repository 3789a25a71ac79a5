"""Gathered results made up so that the claims' formulas have known answers."""

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import Evidence
from benchmark.metrics.verdicts import verdicts

PLACE = {"dataset": "cifar10", "arch": "resnet18", "scenario": "random-50"}
RETRAIN = {"ra": 98.0, "ua": 30.0, "ta": 70.0, "mia": 43.0}
CLOSE = 0.2  # how far the noise may take a formula from what it would be without
EMPTY = pd.DataFrame()


def runs(method, shift, trials=5, noise=0.1, scenario="random-50", cost=1.0, **settings):
    """A method whose metrics are all ``shift`` above Retrain's, in trials that vary together with Retrain's."""
    shared = np.linspace(-1, 1, trials)[:, None]
    own = np.random.default_rng(len(method) + 7).normal(0, noise, (trials, 4))
    metrics = pd.DataFrame(np.array([*RETRAIN.values()]) + shift + shared + own, columns=[*RETRAIN])
    fields = {f"setting_{key}": value for key, value in settings.items()}
    place = PLACE | {"scenario": scenario, "method": method}
    return metrics.assign(**place, trial=range(trials), pflops_executed=cost, **fields)


def retrain(**given):
    return runs("retrain", 0.0, noise=0.0, **given)


def rows_of(claim, *frames, history=EMPTY, predictions=EMPTY, **others):
    """The rows of a claim, or of all; ``others`` are further fields of the evidence, such as the margin."""
    table = verdicts(Evidence(pd.concat(frames, ignore_index=True), history, predictions, **others))
    return table[table["claim"] == claim].reset_index(drop=True) if claim else table
