"""Made-up results for which the claims' formulas have known answers."""

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import Evidence
from benchmark.metrics.verdicts import verdicts

CELL = {"dataset": "cifar10", "arch": "resnet18", "scenario": "random-50"}
RETRAIN = {"ra": 98.0, "ua": 30.0, "ta": 70.0, "mia": 43.0}
CLOSE = 0.2  # how far noise may move the value of a formula
EMPTY = pd.DataFrame()


def runs(method, shift, trials=5, noise=0.1, scenario="random-50", cost=1.0, **settings):
    """Return runs whose metrics are all ``shift`` above Retrain's, in trials that vary together with Retrain's."""
    shared = np.linspace(-1, 1, trials)[:, None]
    noises = np.random.default_rng(len(method) + 7).normal(0, noise, (trials, 4))
    metrics = pd.DataFrame(np.array([*RETRAIN.values()]) + shift + shared + noises, columns=[*RETRAIN])
    fields = {f"setting_{key}": value for key, value in settings.items()}
    columns = CELL | {"scenario": scenario, "method": method}
    return metrics.assign(**columns, trial=range(trials), pflops_executed=cost, **fields)


def retrain(**settings):
    return runs("retrain", 0.0, noise=0.0, **settings)


def rows_of(claim, *frames, history=EMPTY, predictions=EMPTY, **fields):
    """Return the rows of a claim, or of all; ``fields`` are further ones of the evidence, such as the margin."""
    table = verdicts(Evidence(pd.concat(frames, ignore_index=True), history, predictions, **fields))
    return table[table["claim"] == claim].reset_index(drop=True) if claim else table
