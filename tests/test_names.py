from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import BadInput
from benchmark.names import METHOD, SCENARIO, WORD, Cell, MethodName, RunName, Scenario

words = st.from_regex(WORD, fullmatch=True)
scenarios = st.from_regex(SCENARIO, fullmatch=True)
methods = st.from_regex(METHOD, fullmatch=True)

RUN = "digits/convnet/random-10/ft/trial-0"
HOSTILE = ["", " ", "..", "../../etc/passwd", f"{RUN} ", f"{RUN}\n", f"/{RUN}", f"{RUN}/run.json", RUN.title()]
HOSTILE += [RUN.replace("/ft/", f"/{method}/") for method in ("ft; rm -rf x", "ft$(id)", "f t", "ft'", 'ft"', "..")]
HOSTILE += [RUN.replace("/ft/", f"/ft@lr={value}/") for value in ("../trial-0", "0.1;", "'0.1'", "")]
HOSTILE += [RUN.replace("convnet", ".."), RUN.replace("/random-10", ""), RUN.replace("-0", "--1"), f"{RUN[:-1]}01"]
HOSTILE += [RUN.replace("random-10", s) for s in ("class-..", "class-a b", "class-8;", "random-010", "random-100")]


@settings(max_examples=25)
@given(words, words, scenarios, methods, st.integers(0, 10**6))
def test_a_run_name_survives_being_written_and_read(dataset, arch, scenario, method, trial):
    original = RunName(dataset, arch, "", "original", trial)
    assert str(original) == f"{dataset}/{arch}/original/trial-{trial}"
    for name in (RunName(dataset, arch, scenario, method, trial), original):
        assert RunName.parse(str(name)) == name


@given(methods)
def test_a_method_name_read_twice_is_the_same(text):
    try:
        parsed = MethodName.parse(text)
    except BadInput as error:
        keys = [setting.split("=")[0] for setting in text.split("@")[1:]]
        assert "twice" in str(error) and len(set(keys)) < len(keys)
    else:
        assert MethodName.parse(str(parsed)) == parsed


@given(words, words, scenarios)
def test_a_cell_survives_being_written_and_read(dataset, arch, scenario):
    try:
        cell = Cell.parse(f"{dataset}/{arch}/{scenario}")
    except BadInput as error:
        assert "at most 99 %" in str(error)
    else:
        assert str(cell) == f"{dataset}/{arch}/{scenario}"


@given(st.text(max_size=40))
def test_any_text_is_a_run_or_bad_input(text):
    try:
        assert str(RunName.parse(text)) == text
    except BadInput as error:
        assert repr(text) in str(error)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_run_name_is_refused(text):
    with pytest.raises(BadInput) as caught:
        RunName.parse(text)
    assert "accepted is" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "FT", "ft+CL", "ft+cl+cl", "ft@", "ft@lr", "ft@lr=0.1@lr=0.2", "ft lr", "ft\n", "-ft"]
)
def test_a_malformed_method_name_is_refused(text):
    with pytest.raises(BadInput):
        MethodName.parse(text)


def test_coun_is_another_name_of_ft_with_the_contrastive_term():
    for text in ("coun", "ft+cl"):
        name = MethodName.parse(text)
        assert name == MethodName("ft", True, ()) and str(name) == name.head == "coun"
        assert str(MethodName.parse(f"{text}@tau=0.2@batch_size=64")) == "coun@batch_size=64@tau=0.2"
    assert str(MethodName.parse("not+cl")) == "not+cl" and str(MethodName.parse("ft")) == "ft"
    with pytest.raises(BadInput, match=r"here: method 'coun\+cl@tau=1': 'coun' has the contrastive term already"):
        MethodName.parse("coun+cl@tau=1", "here")


@pytest.mark.parametrize(
    ("name", "kind", "class_name", "stages", "percent"),
    [
        ("random-10", "random", None, 1, 10),
        ("random-1", "random", None, 1, 1),
        ("class-truck", "class", "truck", 1, 0),
        ("class-pickup-truck_2", "class", "pickup-truck_2", 1, 0),
        ("class-8", "class", "8", 1, 0),
        ("sequential-5x10", "sequential", None, 5, 10),
    ],
)
def test_a_scenario_says_what_is_forgotten(name, kind, class_name, stages, percent):
    one = Scenario(name)
    assert (one.kind, one.class_name, one.stages, one.percent) == (kind, class_name, stages, percent)


NOWHERE = ["random-0", "random-100", "random-", "class-", "class--x", "sequential-10x10", "sequential-0x5", "half"]


@pytest.mark.parametrize("name", [*NOWHERE, "random-10\n"])
def test_an_impossible_scenario_is_refused(name):
    with pytest.raises(BadInput) as caught:
        Scenario(name)
    assert repr(name) in str(caught.value) and "accepted" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["digits", "digits/convnet", "digits/convnet/random-10/x", "digits//random-10", "a/b/c"]
)
def test_a_malformed_cell_is_refused(text):
    with pytest.raises(BadInput):
        Cell.parse(text)
