"""The paper's theory as measured: Lemma 1's ordering of two curves, and the bound of Theorem 1.

Sources: CoUn's Theorem 1 and Lemma 1; Huang, Yi, Zhao, Jiang, *Towards the Generalization of Contrastive
Self-Supervised Learning* (2023), whose Definition 1, Lemma 3.1 and Theorem 1 they rest on.

A *group* is the retain rows or the forget rows of what `benchmark.features.views.view_distances` writes: one row a
training sample. Features f have unit length; A(x) is a finite set of sampled views of x, x itself among them, and P the
empirical distribution of a group. For these Huang's proof holds as it stands, so that a bound found here is one for
exactly these samples and views. For all possible views R and L are larger, and the error that is bounded may be too: a
bound found here is then too small, and one found vacuous stays vacuous if its best case is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.errors import BadInput

Floats = npt.NDArray[np.float64]
GROUPS = ("retain", "forget")
LEVEL = 0.05  # how often chance alone makes one of two equal curves exceed the other significantly
DELTAS = 256  # of the possible deltas, so many quantiles are tried


def r_curve(max_distance: Floats, eps: npt.ArrayLike) -> Floats:
    """Return R[eps] = P(sup over view pairs of ||f(x) - f(x')|| > eps), the share of samples above each eps (m,).

    Of each sample (n,) it is the largest distance that was met: a lower bound of the sup, so the curve is one of R.
    `BadInput` is raised for no sample.
    """
    if not len(max_distance):
        raise BadInput("R[eps] of 0 samples: accepted is at least one")
    at_most = np.searchsorted(np.sort(max_distance), np.asarray(eps), side="right")
    return 1.0 - at_most / len(max_distance)


@dataclass(frozen=True)
class Ordering:
    """How the curves of retain and forget data lie to each other.

    Attributes
    ----------
    area : integral over eps of R on forget - R on retain data.
    above, below : largest R on forget - R on retain data over eps, and the other way round, by how much Lemma 1 is
        violated; at least 0.
    chance : how large either gets by `chance`, if the curves are equal.
    """

    area: float
    above: float
    below: float
    chance: float

    @property
    def holds(self) -> bool:
        """Lemma 1 as proved, R on retain <= R on forget: no violation that chance would not explain."""
        return self.below <= self.chance

    @property
    def strict(self) -> bool:
        """Lemma 1 as stated, with <: it holds, and R on forget data is higher by more than chance."""
        return self.holds and self.above > self.chance


def lemma1(retain: Floats, forget: Floats) -> Ordering:
    """Compare R of largest feature distances on retain (n,) with those on forget data (m,), over all eps (Lemma 1)."""
    eps = np.concatenate([[0.0], retain, forget])
    difference = r_curve(forget, eps) - r_curve(retain, eps)
    area = float(np.mean(forget, dtype=float) - np.mean(retain, dtype=float))  # the integral of each is its mean
    extremes = max(0.0, float(np.max(difference))), max(0.0, float(-np.min(difference)))
    return Ordering(area, *extremes, chance(len(retain), len(forget)))


def chance(retain: int, forget: int) -> float:
    """Return how far one of two equal curves, of so many samples, exceeds the other somewhere in 5 % of draws.

    That is the large-sample value of the one-sided two-sample Kolmogorov-Smirnov test.
    """
    return float(np.sqrt(np.log(1 / LEVEL) / 2 * (1 / retain + 1 / forget)))


def peel(distances: Floats) -> Floats:
    """Take the samples of one class away one by one so that the rest lies ever closer together (Definition 1).

    Of their augmented distances d_A, (n, n), it returns the diameter of what was left, the sample included, when each
    was taken away, (n,). Again and again one of the two samples farthest apart goes, the one that is farther from the
    rest. So the samples whose value is at most delta are a main part of diameter at most delta, for every delta. Which
    main part is largest is a clique problem; this finds a large one, so a share sigma is a lower bound.
    """
    distances = np.array(distances, dtype=float)
    np.fill_diagonal(distances, 0.0)
    total = distances.sum(axis=1)
    farthest = distances.max(axis=1, initial=0.0)
    reach, left = np.zeros(len(distances)), np.ones(len(distances), bool)
    for _ in range(len(distances) - 1):
        reachable = np.where(left, farthest, -1.0)
        one = int(np.argmax(reachable))
        other = int(np.argmax(np.where(left, distances[one], -1.0)))
        gone = one if total[one] >= total[other] else other
        reach[gone] = reachable[one]
        left[gone] = False
        total -= distances[gone]
        touched = left & (distances[gone] >= farthest)
        farthest[touched] = distances[np.ix_(touched, left)].max(axis=1, initial=0.0)
    return reach


def rho(sigma: Any, delta: Any, eps: Any, r: Any, smallest_class: float, lipschitz: float) -> Any:
    """Return rho_max = 2 (1 - sigma) + R[eps] / min_k P(C_k) + sigma (L delta + 2 eps) (Theorem 1, unit features)."""
    return 2 * (1 - sigma) + r / smallest_class + sigma * (lipschitz * delta + 2 * eps)


def centre_condition(largest_product: float, delta_mu: float, rho: Any) -> Any:
    """Return the margin of Theorem 1's condition on the class centres, which holds where it is positive.

    That is 1 - rho - sqrt(2 rho) - Delta_mu / 2 - max over l != k of mu_l . mu_k.
    """
    return 1 - rho - np.sqrt(2 * rho) - delta_mu / 2 - largest_product


@dataclass(frozen=True)
class Theorem:
    """What Theorem 1 says about one group.

    Attributes
    ----------
    largest_product, delta_mu : max over l != k of mu_l . mu_k, and 1 - min_k ||mu_k||^2.
    lipschitz : largest ratio of feature distance to image distance that was met: a lower bound of L.
    sigma, delta, eps, rho, margin : of the smallest bound whose condition holds, else of the largest margin.
    best_margin : largest margin that any augmentation could give these features: sigma = 1, delta = 0.
    bound : (1 - sigma) + R[eps]; NaN where the condition holds nowhere.
    """

    largest_product: float
    delta_mu: float
    lipschitz: float
    sigma: float
    delta: float
    eps: float
    rho: float
    margin: float
    best_margin: float
    bound: float

    @property
    def vacuous(self) -> bool:
        """Whether it says nothing: the condition on the class centres fails, or the bound is 1 or more."""
        return not self.bound < 1


def theorem1(group: pd.DataFrame) -> Theorem | None:
    """Return the smallest bound of Theorem 1 for one group, over all (sigma, delta) and eps that the data offer.

    Err <= (1 - sigma) + R[eps] for the classifier that takes the nearest class centre, if `centre_condition` is
    positive. sigma(delta) is the smallest share over classes of the main part that `peel` left; eps runs over all
    values at which R[eps] falls. None for a group of a single class, where the theorem compares nothing.
    """
    if group["label"].nunique() < 2:
        return None
    centres = group.groupby("label")[["centre_square", "centre_product"]].first()
    product, delta_mu = float(centres["centre_product"].max()), 1.0 - float(centres["centre_square"].min())
    smallest, lipschitz = float(group["label"].value_counts(normalize=True).min()), float(group["lipschitz"].max())
    delta, sigma = concentration(group)
    eps = np.unique(np.append(group["max_distance"].to_numpy(float), 0.0))
    r = r_curve(group["max_distance"].to_numpy(float), eps)
    every_rho = rho(sigma[:, None], delta[:, None], eps, r, smallest, lipschitz)
    margin = centre_condition(product, delta_mu, every_rho)
    bound = np.where(margin > 0, 1 - sigma[:, None] + r, np.inf)
    met = bool(np.isfinite(bound).any())
    at = np.unravel_index(np.argmin(bound) if met else np.argmax(margin), margin.shape)
    best = centre_condition(product, delta_mu, rho(1.0, 0.0, eps, r, smallest, lipschitz)).max()
    chosen = (sigma[at[0]], delta[at[0]], eps[at[1]], every_rho[at], margin[at], best, bound[at] if met else np.nan)
    return Theorem(product, delta_mu, lipschitz, *map(float, chosen))


def concentration(group: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return deltas, ascending, and for each the sigma of a (sigma, delta)-augmentation (Definition 1)."""
    reach = group["reach"].to_numpy(float)
    delta = np.unique(np.append(np.quantile(reach, np.linspace(0, 1, DELTAS), method="higher"), 0.0))
    classes = [np.sort(reach[group["label"].to_numpy() == label]) for label in group["label"].unique()]
    shares = [np.searchsorted(mine, delta, side="right") / len(mine) for mine in classes]
    return delta, np.min(shares, axis=0)
