"""Labels, colours, line styles and order of methods, cells and classes, the same in every table and figure.

Nothing here imports a plotting library, since tables need the names too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from benchmark.methods import METHODS
from benchmark.models import ARCHITECTURES
from benchmark.names import Cell, MethodName, Scenario
from benchmark.study.form import StudyForm

FULL_WIDTH = 5.5  # inches: a full line of the paper

# The order in which tables and figures list methods; those of plugins come last.
ORDER: tuple[str, ...] = (
    *("original", "retrain", "ft", "ft2", "neggrad-plus", "l1-sparse", "salun", "not"),
    *("bad-teacher", "ssd", "scrub", "cu", "coun"),
)
# Lines of methods that share a colour, without and with the contrastive term: dashes and spaces, in line widths.
WHOLE: tuple[tuple[float, ...], ...] = ((), (1, 1.65), (3, 1, 1, 1, 1, 1), (6, 4))
BROKEN: tuple[tuple[float, ...], ...] = ((3.7, 1.6), (6.4, 1.6, 1, 1.6), (1, 2), (8, 2, 2, 2))
# For methods of plugins, which need not have a colour. The paper's seven methods have Okabe and Ito's, which people
# with any common colour blindness tell apart; the others that it compares with are from Tol's muted scheme, as these.
OTHER_COLOURS = ("#AA4499", "#117733", "#661100", "#6699CC", "#AA4466", "#4477AA")

DATASETS = {"digits": "Digits", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "tinyimagenet": "TinyImageNet"}
SETTINGS = {"lambda": "λ", "tau": "τ", "alpha": "α", "beta": "β", "gamma": "γ", "omega": "ω"}
SETTINGS |= {"cl_transform": "CL transform", "batch_size": "batch"}
PROJECTIONS = {"tsne": "t-SNE", "umap": "UMAP"}

# Okabe and Ito's order as seaborn's "colorblind" palette extends it to ten.
CLASS_COLOURS = ["#0173B2", "#DE8F05", "#029E73", "#D55E00", "#CC78BC"]
CLASS_COLOURS += ["#CA9161", "#F5A3D8", "#7F7F7F", "#D9CF10", "#56B4E9"]

# Matplotlib's settings for every figure. Fonts are embedded as TrueType, since publishers refuse Type 3.
RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": "medium",
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
}


class StudyStyle:
    """Labels and colours of the study being drawn, which take precedence over all others."""

    labels: dict[str, str] = {}
    colours: dict[str, str] = {}


def use(study: StudyForm) -> None:
    """Use a study's own labels and colours from now on; a process draws one study at a time."""
    StudyStyle.labels, StudyStyle.colours = study.labels, study.colours


def _label(name: str, known: dict[str, str]) -> str:
    return StudyStyle.labels.get(name) or known.get(name, name)


def method_label(name: str) -> str:
    """Return a method's name as tables and figures print it: ``coun@tau=0.2`` becomes ``CoUn (τ=0.2)``."""
    method = MethodName.parse(name)
    label = _label(method.key, METHODS.labels) + " + CL" * (method.contrastive and method.key == method.base)
    if method.settings:
        label += " (" + ", ".join(f"{setting_label(key)}={value}" for key, value in method.settings) + ")"
    return label


def in_order(names: Iterable[str]) -> list[str]:
    """Return methods in the order of every table: Original, Retrain, then as `ORDER` lists them, then plugins'."""

    def sort_key(name: str) -> tuple[int, str, bool, bool, str]:
        method = MethodName.parse(name)
        return [*ORDER, method.key].index(method.key), method.key, method.contrastive, bool(method.settings), name

    return sorted(names, key=sort_key)


def readable(text: str) -> str:
    """Return text with the names of methods and settings between backticks replaced by their labels."""

    def label(match: re.Match[str]) -> str:
        """Return a name's label; an identifier that is no method is a setting."""
        name = match[1]
        is_setting = name in SETTINGS or (name.isidentifier() and name not in METHODS)
        return setting_label(name) if is_setting else method_label(name)

    return re.sub(r"`([^`]+)`", label, text)


def method_colour(name: str) -> str:
    """Return a method's colour, ``#RRGGBB``: the same with and without ``+cl`` and whatever its settings."""
    key = MethodName.parse(name).key
    if chosen := StudyStyle.colours.get(key) or METHODS.colours.get(key):
        return chosen
    # In order of registration, so that a few plugins share no colour.
    others = [method for method in METHODS if method not in METHODS.colours]
    return OTHER_COLOURS[others.index(key) % len(OTHER_COLOURS) if key in others else 0]


def line_style(name: str, among: Sequence[str]) -> Any:
    """Return a method's `dashes` as matplotlib wants them."""
    pattern = dashes(name, among)
    return (0, pattern) if pattern else "-"


def dashes(name: str, among: Sequence[str]) -> tuple[float, ...]:
    """Return a method's dashes and spaces, in line widths: broken with the contrastive term, and different for each
    method ``among`` those of the figure that shares its colour.
    """
    looks = {method: (method_colour(method), MethodName.parse(method).contrastive) for method in among}
    alike = [method for method in among if looks[method] == looks[name]]
    styles = BROKEN if MethodName.parse(name).contrastive else WHOLE
    return styles[alike.index(name) % len(styles)]


def class_colours(classes: int) -> Sequence[str]:
    """Return one colour per class: up to ten that the colour-blind can tell apart, else a walk round the wheel.

    A hundred colours cannot all be told apart; neighbours in the list differ most, in hue and in lightness.
    """
    if classes <= len(CLASS_COLOURS):
        return CLASS_COLOURS[:classes]
    import seaborn

    step = round(0.618034 * classes)
    while math.gcd(step, classes) > 1:  # else some hues would repeat and others never come
        step += 1
    wheels = [seaborn.husl_palette(classes, s=0.85, l=lightness).as_hex() for lightness in (0.42, 0.58, 0.74)]
    return [wheels[index % 3][index * step % classes].upper() for index in range(classes)]


def setting_label(key: str) -> str:
    """Return a hyperparameter's name as printed: its Greek letter if it has one, else words."""
    return SETTINGS.get(key, key.replace("_", " "))


def dataset_label(name: str) -> str:
    """Return a dataset's name as printed."""
    return _label(name, DATASETS)


def architecture_label(name: str) -> str:
    """Return an architecture's name as printed."""
    return _label(name, ARCHITECTURES.labels)


def scenario_label(name: str) -> str:
    """Return a scenario as printed: ``random 10 %``, ``class-wise 'truck'``, ``sequential 5 × 10 %``."""
    scenario = Scenario(name)
    if scenario.class_name is not None:
        return f"class-wise ‘{scenario.class_name}’"
    if scenario.list_name is not None:
        return f"listed ‘{scenario.list_name}’"
    stages = f"{scenario.stages} × " if scenario.kind == "sequential" else ""
    return f"{scenario.kind} {stages}{scenario.percent} %"


# Labels of the parts of a cell.
CELL_LABELS = {"dataset": dataset_label, "arch": architecture_label, "scenario": scenario_label}


def cell_parts(cell: Cell) -> list[str]:
    """Return a cell's dataset, architecture and scenario as printed."""
    return [label(getattr(cell, part)) for part, label in CELL_LABELS.items()]


def cell_label(cell: Cell) -> str:
    """Return a cell as printed, in one line."""
    return ", ".join(cell_parts(cell))


def short_parts(cell: Cell, among: Sequence[Cell]) -> list[str]:
    """Return what tells a cell from others: its scenario, and the dataset and architecture where they differ."""
    parts = [part for part in ("dataset", "arch") if len({getattr(other, part) for other in among}) > 1]
    return [CELL_LABELS[part](getattr(cell, part)) for part in [*parts, "scenario"]]


def short_label(cell: Cell, among: Sequence[Cell]) -> str:
    """Return `short_parts` in one line."""
    return ", ".join(short_parts(cell, among))
