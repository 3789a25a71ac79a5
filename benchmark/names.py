"""Names of scenarios, cells, methods and runs, as people write them and as paths spell them.

A run's name is its specification::

    digits/convnet/random-10/coun@tau=0.2/trial-0      dataset/arch/scenario/method/trial
    digits/convnet/original/trial-0                    Original has no scenario
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from benchmark.errors import BadInput, closest
from benchmark.registry import METHODS, WORD

ORIGINAL = "original"
RETRAIN = "retrain"
CL = "+cl"
# The columns that identify the cell and the run of a row of results. Original's rows name the scenario of their cell.
CELL_KEYS = ["dataset", "arch", "scenario"]
RUN_KEYS = [*CELL_KEYS, "method", "trial"]
# Where a sample comes from: the stored training or test images, or training images that a trial never trains on.
HELD_OUT = "held-out"
SPLITS = ("train", "test", HELD_OUT)
# How a run can have ended.
FINISHED, DIVERGED = "finished", "diverged"
# Short names of methods with the contrastive term: accepted on input, and printed in place of the full name.
ALIASES = {"coun": "ft" + CL}

LONGEST = 120  # characters: a name becomes part of a file's or folder's name
SCENARIO = (
    r"(?:random|memorised|typical)-[1-9][0-9]?|class-\w+(?:-\w+)*"
    rf"|sequential-[1-9][0-9]?x[1-9][0-9]?|listed-{WORD}"
)
CHOSEN = ("memorised", "typical", "listed")  # kinds of scenarios whose forget data a file of the study chooses
METHOD = rf"{WORD}(?:\+cl)?(?:@[a-z_0-9]+=[A-Za-z0-9.+-]+)*"


@dataclass(frozen=True, order=True)
class Scenario:
    """What is to be forgotten.

    ``random-<percent>``, ``class-<name>``, ``sequential-<stages>x<percent>``; or chosen by a file of the study:
    ``memorised-<percent>`` and ``typical-<percent>``, with the highest and the lowest scores, and ``listed-<name>``.
    """

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(SCENARIO, self.name):
            accepted = "'random-<percent>' with 1 to 99, 'class-<name>', 'sequential-<stages>x<percent>'"
            from_files = "'memorised-<percent>', 'typical-<percent>' and 'listed-<name>'"
            cleaned = re.sub(r"[^\w-]", "_", unicodedata.normalize("NFC", self.name))  # as file systems may spell it
            if self.name.startswith("class-") and re.fullmatch(SCENARIO, cleaned):
                accepted = f"letters, digits, '_' and '-', as in {cleaned!r}"
                raise BadInput(f"scenario {self.name!r}: accepted in the name of a class are {accepted}")
            raise BadInput(f"scenario {self.name!r}: accepted are {accepted}, {from_files}")
        if len(self.name.encode()) > LONGEST:
            raise BadInput(f"scenario {self.name!r}: {len(self.name.encode())} bytes: accepted are at most {LONGEST}")
        if self.kind == "sequential" and self.stages * self.percent > 99:
            raise BadInput(f"scenario {self.name!r} forgets {self.stages * self.percent} %: at most 99 % is accepted")

    @property
    def kind(self) -> str:
        """The name's first word, such as ``"random"``."""
        return self.name.split("-", 1)[0]

    @property
    def class_name(self) -> str | None:
        """The forgotten class, or None where samples of every class are forgotten."""
        return self.name.split("-", 1)[1] if self.kind == "class" else None

    @property
    def list_name(self) -> str | None:
        """The name of the list of forgotten samples, or None where no list chooses them."""
        return self.name.split("-", 1)[1] if self.kind == "listed" else None

    @property
    def stages(self) -> int:
        """The number of successive removals; 1 unless sequential."""
        return int(self.name.split("-")[1].split("x")[0]) if self.kind == "sequential" else 1

    @property
    def percent(self) -> int:
        """Per cent of the training set that one stage forgets; 0 for a class and for a list."""
        return 0 if self.kind in ("class", "listed") else int(re.split("[-x]", self.name)[-1])


@dataclass(frozen=True, order=True)
class Cell:
    """A dataset, an architecture and a scenario: ``digits/convnet/random-10``."""

    dataset: str
    arch: str
    scenario: str

    @classmethod
    def parse(cls, text: str) -> Cell:
        """Read ``dataset/arch/scenario``; raise `BadInput` if it has another form."""
        parts = text.split("/")
        if len(parts) != 3 or not all(parts):
            raise BadInput(f"cell {text!r}: accepted is 'dataset/arch/scenario', such as digits/convnet/random-10")
        Scenario(parts[2])
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.dataset}/{self.arch}/{self.scenario}"

    @property
    def at_full_size(self) -> Cell:
        """The cell of the network of which this one's is a variant, of another width or stride: all before a ``-``."""
        return replace(self, arch=self.arch.partition("-")[0])

    @property
    def references(self) -> list[Cell]:
        """The cells whose Retrain it is compared with, by stage: itself alone unless it is sequential."""
        scenario = Scenario(self.scenario)
        if scenario.kind != "sequential":
            return [self]
        return [replace(self, scenario=f"random-{stage * scenario.percent}") for stage in range(1, scenario.stages + 1)]


@dataclass(frozen=True, order=True)
class RunName:
    """One training job. ``scenario`` is empty for Original, which every scenario shares."""

    dataset: str
    arch: str
    scenario: str
    method: str
    trial: int

    @classmethod
    def parse(cls, text: str) -> RunName:
        """Read a run's name; raise `BadInput` if it has another form."""
        match = re.fullmatch(rf"({WORD})/({WORD})/(?:(original)|({SCENARIO})/({METHOD}))/trial-(0|[1-9][0-9]*)", text)
        if not match:
            form = "'dataset/arch/scenario/method/trial-<number>', such as digits/convnet/random-10/coun/trial-0"
            raise BadInput(f"run {text!r}: accepted is {form}, or 'dataset/arch/original/trial-<number>'")
        dataset, arch, original, scenario, method, trial = match.groups()
        return cls(dataset, arch, scenario or "", original or method, int(trial))

    @classmethod
    def of_row(cls, dataset: str, arch: str, scenario: str, method: str, trial: int) -> RunName:
        """Return the run of a row of results, from its `RUN_KEYS`."""
        return cls(dataset, arch, "" if method == ORIGINAL else scenario, method, trial)

    def __str__(self) -> str:
        middle = f"{self.scenario}/{self.method}" if self.scenario else self.method
        return f"{self.dataset}/{self.arch}/{middle}/trial-{self.trial}"

    @property
    def cell(self) -> Cell:
        """The run's cell; that of Original has an empty scenario."""
        return Cell(self.dataset, self.arch, self.scenario)

    @property
    def plain(self) -> RunName:
        """The name without the method's settings: which of them it has depends on the study's own values."""
        return replace(self, method=MethodName.parse(self.method).head)

    @property
    def is_original(self) -> bool:
        """Whether this is the training on all data that every unlearning run starts from."""
        return self.method == ORIGINAL


@dataclass(frozen=True)
class MethodName:
    """A method's name in its parts: ``neggrad-plus+cl@beta=0.99`` is a base, a contrastive term and settings.

    ``coun`` and ``ft+cl`` are the same name, written ``coun``: the base ``ft`` with the term.
    """

    base: str
    contrastive: bool
    settings: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str, where: str = "") -> MethodName:
        """Read a method's name; raise `BadInput`, beginning with ``where``, if it has another form."""
        where = f"{where}: " * bool(where)
        if not re.fullmatch(METHOD, text):
            plain = re.sub("[^a-z0-9]+", "-", text.partition("@")[0].lower()).strip("-")
            without_spaces = "".join(text.split())
            close = without_spaces if re.fullmatch(METHOD, without_spaces) else closest(plain, METHODS)
            hint = f"did you mean {close!r}? Accepted" if close else "accepted"
            form = "'name', 'name+cl' or either with '@setting=value', such as coun@tau=0.2"
            raise BadInput(f"{where}method {text!r}: {hint} is {form}")
        if len(text) > LONGEST:
            raise BadInput(f"{where}method {text!r}: {len(text)} characters: accepted are at most {LONGEST}")
        head, *settings = text.split("@")
        pairs = tuple(sorted((key, value) for key, _, value in (setting.partition("=") for setting in settings)))
        if len(dict(pairs)) < len(pairs):
            raise BadInput(f"{where}method {text!r} gives one setting twice")
        head = ALIASES.get(head, head)
        base = head.removesuffix(CL)
        if base in ALIASES:
            raise BadInput(f"{where}method {text!r}: {base!r} has the contrastive term already")
        return cls(base, head.endswith(CL), pairs)

    @property
    def head(self) -> str:
        """The name without its settings: ``neggrad-plus+cl``, ``coun``."""
        full = self.base + CL * self.contrastive
        return next((alias for alias, name in ALIASES.items() if name == full), full)

    @property
    def key(self) -> str:
        """The name under which its label and colour are registered: ``neggrad-plus``, but ``coun`` for itself."""
        return self.head.removesuffix(CL)

    def __str__(self) -> str:
        return "@".join([self.head, *(f"{key}={value}" for key, value in self.settings)])


def name_with_term(base: str) -> str:
    """Return the name of a base with the contrastive term, without settings: ``coun`` for ``ft``."""
    return MethodName(base, True, ()).head


def is_control(method: str) -> bool:
    """Return whether a method is Original, which forgets nothing."""
    return MethodName.parse(method).base == ORIGINAL


def competes(method: str) -> bool:
    """Return whether a method unlearns, and so may have the smallest gap: Retrain and Original do not."""
    return MethodName.parse(method).base not in (RETRAIN, ORIGINAL)


def matches(pattern: str, cell: str) -> bool:
    """Match dataset/arch/scenario part by part; ``*`` matches anything within a part, and alone every cell."""
    return pattern == "*" or re.fullmatch(re.escape(pattern).replace(r"\*", "[^/]*"), cell) is not None


def check_patterns(hyperparameters: object, where: str) -> None:
    """Raise `BadInput` where settings stand directly below a method, with no pattern of cells above it."""
    for name, entries in hyperparameters.items() if isinstance(hyperparameters, dict) else ():
        has_settings = isinstance(entries, dict) and any(not isinstance(value, dict) for value in entries.values())
        if has_settings and "*" not in name and "/" not in name:
            accepted = f"accepted is a pattern of cells, such as '*', with {name!r} and its settings below"
            raise BadInput(f"{where}: hyperparameters.{name}: {accepted}")
