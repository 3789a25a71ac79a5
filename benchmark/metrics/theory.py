"""The paper's theory, measured: Lemma 1's ordering of two curves, and the bound of Theorem 1.

Sources: CoUn's Theorem 1 and Lemma 1; Huang, Yi, Zhao, Jiang, *Towards the Generalization of Contrastive
Self-Supervised Learning* (2023), whose Definition 1, Lemma 3.1 and Theorem 1 they rest on.

A *group* is the retain rows or the forget rows of what `benchmark.features.views.view_distances` writes: one row a
training sample. Features f have unit length; A(x) is a finite set of sampled views of x, x itself among them, and P the
empirical distribution of a group. For these Huang's proof holds as it is, so a bound found here holds for exactly these
samples and views. For all possible views R and L are larger, and the bounded error may be too: a bound found here is
then too small, and one found vacuous stays vacuous if its best case is.
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
DELTAS = 256  # how many quantiles of the possible deltas are tried


def r_curve(max_distance: Floats, eps: npt.ArrayLike) -> Floats:
    """Return R[eps] = P(sup over view pairs of ||f(x) - f(x')|| > eps), the share of samples above each eps (m,).

    ``max_distance`` is the largest distance observed for each sample (n,): a lower bound of the sup, so the curve is a
    lower bound of R. Raises `BadInput` if there is no sample.
    """
    if not len(max_distance):
        raise BadInput("R[eps] of 0 samples: accepted is at least one")
    at_most = np.searchsorted(np.sort(max_distance), np.asarray(eps), side="right")
    return 1.0 - at_most / len(max_distance)


@dataclass(frozen=True)
class Ordering:
    """The order of the curves of retain and forget data.

    Attributes
    ----------
    area : integral over eps of R on forget - R on retain data.
    above, below : largest R on forget - R on retain data over eps, and the other way round, which is the
        violation of Lemma 1; at least 0.
    chance : how large either of these two becomes by `chance`, if the curves are equal.
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
    """Remove the samples of one class one by one so that the rest lies ever closer together (Definition 1).

    From their augmented distances d_A, (n, n), return for each sample, (n,), the diameter of the samples that remained
    when it was removed, itself included. Each step removes one of the two samples farthest apart: the one farther from
    the rest. So for every delta the samples whose value is at most delta are a main part of diameter at most delta. To
    find the largest main part is a clique problem; this finds a large one, so a share sigma is a lower bound.
    """
    distances = np.array(distances, dtype=float)
    np.fill_diagonal(distances, 0.0)
    total = distances.sum(axis=1)
    farthest = distances.max(axis=1, initial=0.0)
    reach, remaining = np.zeros(len(distances)), np.ones(len(distances), bool)
    for _ in range(len(distances) - 1):
        reachable = np.where(remaining, farthest, -1.0)
        first = int(np.argmax(reachable))
        second = int(np.argmax(np.where(remaining, distances[first], -1.0)))
        removed = first if total[first] >= total[second] else second
        reach[removed] = reachable[first]
        remaining[removed] = False
        total -= distances[removed]
        affected = remaining & (distances[removed] >= farthest)
        farthest[affected] = distances[np.ix_(affected, remaining)].max(axis=1, initial=0.0)
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
    """Theorem 1 applied to one group.

    Attributes
    ----------
    largest_product, delta_mu : max over l != k of mu_l . mu_k, and 1 - min_k ||mu_k||^2.
    lipschitz : largest observed ratio of feature distance to image distance: a lower bound of L.
    sigma, delta, eps, rho, margin : those of the smallest bound whose condition holds, else of the largest margin.
    best_margin : largest margin that any augmentation could give these features: sigma = 1, delta = 0.
    bound : (1 - sigma) + R[eps]; NaN if the condition holds nowhere.
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
        """Whether the theorem says nothing: the condition on class centres fails, or the bound is 1 or more."""
        return not self.bound < 1


def theorem1(group: pd.DataFrame) -> Theorem | None:
    """Return the smallest bound of Theorem 1 for one group, over all (sigma, delta) and eps that the data offer.

    Err <= (1 - sigma) + R[eps] for the classifier that takes the nearest class centre, if `centre_condition` is
    positive. sigma(delta) is the smallest share over classes of the main part that `peel` finds; eps runs over all
    values at which R[eps] falls. None for a group of a single class, in which the theorem compares nothing.
    """
    if group["label"].nunique() < 2:
        return None
    centres = group.groupby("label")[["centre_square", "centre_product"]].first()
    product, delta_mu = float(centres["centre_product"].max()), 1.0 - float(centres["centre_square"].min())
    smallest, lipschitz = float(group["label"].value_counts(normalize=True).min()), float(group["lipschitz"].max())
    delta, sigma = concentration(group)
    eps = np.unique(np.append(group["max_distance"].to_numpy(float), 0.0))
    r = r_curve(group["max_distance"].to_numpy(float), eps)
    rhos = rho(sigma[:, None], delta[:, None], eps, r, smallest, lipschitz)
    margin = centre_condition(product, delta_mu, rhos)
    bound = np.where(margin > 0, 1 - sigma[:, None] + r, np.inf)
    holds = bool(np.isfinite(bound).any())
    at = np.unravel_index(np.argmin(bound) if holds else np.argmax(margin), margin.shape)
    best = centre_condition(product, delta_mu, rho(1.0, 0.0, eps, r, smallest, lipschitz)).max()
    chosen = (sigma[at[0]], delta[at[0]], eps[at[1]], rhos[at], margin[at], best, bound[at] if holds else np.nan)
    return Theorem(product, delta_mu, lipschitz, *map(float, chosen))


def concentration(group: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return deltas, ascending, and for each the sigma of a (sigma, delta)-augmentation (Definition 1)."""
    reach = group["reach"].to_numpy(float)
    delta = np.unique(np.append(np.quantile(reach, np.linspace(0, 1, DELTAS), method="higher"), 0.0))
    classes = [np.sort(reach[group["label"].to_numpy() == label]) for label in group["label"].unique()]
    shares = [np.searchsorted(values, delta, side="right") / len(values) for values in classes]
    return delta, np.min(shares, axis=0)
