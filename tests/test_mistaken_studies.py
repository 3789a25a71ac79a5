"""A thousand studies with one mistake each: every one is refused before any job, by a line that names the key."""

import copy
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.study.study import Study

CELL = "digits/convnet/random-10"
STUDY: dict[str, Any] = yaml.safe_load(f"""
description: what is mutated
seed: 1
trials: 2
resample: [split]
precision: float32
report_epoch: last
members: first
map_samples: 100
view_pairs: 2
threads: 1
sequential: {{schedule: restart, forget: new}}
datasets:
  digits:
    {{source: digits, subset: 160, test_subset: 60, subset_seed: 3, size: 8,
    augmentation: {{padding: 1, flip: false, mean: [0.3], std: [0.37]}}}}
hyperparameters:
  "*":
    training: {{epochs: 2, batch_size: 32, lr: 0.1, momentum: 0.9, schedule: steps}}
    unlearning: {{epochs: 2, batch_size: 32, lr: 0.05, weight_decay: 0.0005}}
    coun: {{lambda: 0.5, tau: 0.2}}
    salun: {{threshold: 0.5}}
  {CELL}: {{neggrad-plus: {{beta: 0.95}}}}
tables:
  table2: {{kind: unlearning, caption: c, cells: [{CELL}], methods: [ft, coun@tau=0.3], trials: 2}}
  table5: {{kind: predictions, cells: [digits/convnet/class-8], methods: [not], classes: ["8"], trials: 2}}
figures:
  figure1: {{kind: maps, cells: [{CELL}], methods: [retrain], show: all}}
""")
# Mappings whose keys are the user's own, and values that may be anything of their type.
FREE = {("datasets",), ("tables",), ("figures",), ("hyperparameters", "*"), ("hyperparameters", CELL)}
TEXTS = {"description", "caption", "path"}
HOSTILE = ["; touch executed", "a b", "x\ny", "../../x", "/etc/passwd", "$(touch executed)", "`id`"]
HOSTILE += ["", "'", "{x}", "é", "*/"]
NOISE = [b"", b"\n", b": ", b"- ", b"&a ", b"*a", b"!!x ", b"\x00", b"\xff", b"{", b"9"]
NAN, INFINITY = float("nan"), float("inf")


def places(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return every key and every item, as a path of keys."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path for key, value in inner for path in [(*place, key), *places(value, (*place, key))]]


PLACES = places(STUDY)


def value_at(data: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        data = data[key]
    return data


def quoted(key: str, value: Any) -> str:
    """Return how a message quotes a value; of a cell it may name only the wrong part."""
    return "" if key == "cells" or isinstance(value, dict | list) else repr(value).strip("'\"")


@st.composite
def mistakes(draw: st.DrawFn) -> tuple[dict[str, Any], str, str]:
    """Draw a study with one mistake, the key that the error has to name, and the value if it is one."""
    data = copy.deepcopy(STUDY)
    place = draw(st.sampled_from(PLACES))
    *above, last = place
    holder, value = value_at(data, tuple(above)), value_at(data, place)
    named = next(str(key) for key in reversed(place) if isinstance(key, str))
    kind = draw(st.sampled_from(["type", "value", "key"]))
    if kind == "key" and isinstance(last, str):
        wrong = draw(st.sampled_from([last + "x", last[:-1] + "_", *HOSTILE]))
        if last == "*" or tuple(above) == ("hyperparameters",):
            wrong = draw(st.sampled_from(["mnist/*/*", "digits/convnet", "a b", "; touch executed", "../x"]))
        elif tuple(above) in FREE:
            wrong = draw(st.sampled_from([last.upper(), *HOSTILE]))  # any plain word is a name
        holder[wrong] = holder.pop(last)
        return data, wrong, ""
    if kind == "type" or isinstance(value, dict | bool) or last in TEXTS:
        choices: list[Any] = [3.5, [[1]], {"x": {"y": 1}}] if isinstance(value, str) else ["text", [["x"]], {"x": 1}]
        if isinstance(value, dict):
            choices = ["text", 3, ["x"], True]
        if isinstance(value, list):
            choices = ["text", 3, {"x": 1}, [{"x": 1}], [None]]
        holder[last] = wrong = draw(st.sampled_from(choices))
        return data, named, quoted(named, wrong)
    if isinstance(value, list):
        holder[last] = ["x"] if named in ("mean", "std", "resample") else [*value, *value]
        return data, named, ""
    if isinstance(value, str):
        # Class names are known once the data are: preparing checks them.
        choices = HOSTILE if named != "classes" else [3.5, {"x": 1}]
    else:
        choices = [NAN, INFINITY, -INFINITY, "1;2", *([] if named == "mean" else [-1, -1e9])]
        choices += [1.5] if isinstance(value, int) else []
    holder[last] = wrong = draw(st.sampled_from(choices))
    return data, named, quoted(named, wrong)


def write_study(data: dict[str, Any]) -> None:
    paths.CONFIG.mkdir(exist_ok=True)
    text = yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False)
    paths.study_file("mutant").write_text(text, encoding="utf-8")


@pytest.fixture(autouse=True)
def no_installed_plugins(monkeypatch):
    """Find no installed plugins: looking for them takes as long as the rest of reading a study."""
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: ())


def test_the_study_without_a_mistake_is_accepted(empty):
    write_study(STUDY)
    assert len(Study.load("mutant").runs()) > 5


UNLIMITED = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=1000, phases=[Phase.generate], **UNLIMITED)
@given(mistake=mistakes())
def test_every_study_with_a_mistake_is_refused_by_a_line_that_names_it(empty, mistake):
    data, named, value = mistake
    write_study(data)
    with pytest.raises(BadInput) as caught:
        Study.load("mutant")
    message = str(caught.value)
    assert message.startswith("config/mutant.yaml: ") and "\n" not in message
    assert named in message or repr(named)[1:-1] in message
    assert value in message
    assert sorted(path.name for path in empty.root.iterdir()) == ["config"]


@settings(max_examples=300, **UNLIMITED)
@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0, 1, 4, 40]), st.sampled_from(NOISE)), max_size=5))
def test_a_study_file_of_noise_is_refused_in_one_line_or_read(empty, cuts):
    text = bytearray(yaml.safe_dump(STUDY, sort_keys=False).encode())
    for place, length, noise in cuts:
        start = int(place * len(text))
        text[start : start + length] = noise
    paths.CONFIG.mkdir(exist_ok=True)
    paths.study_file("mutant").write_bytes(text)
    try:
        Study.load("mutant")
    except BadInput as error:
        assert "\n" not in str(error)
