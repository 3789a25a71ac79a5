import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import BadInput
from benchmark.names import LONGEST, METHOD, SCENARIO, Cell, MethodName, RunName, Scenario
from benchmark.registry import WORD

words = st.from_regex(WORD, fullmatch=True)


def short(name: str) -> bool:
    return len(name.encode()) <= LONGEST


scenarios = st.from_regex(SCENARIO, fullmatch=True).filter(short)
methods = st.from_regex(METHOD, fullmatch=True).filter(short)

RUN = "digits/convnet/random-10/ft/trial-0"
HOSTILE = ["", " ", "..", "../../etc/passwd", f"{RUN} ", f"{RUN}\n", f"/{RUN}", f"{RUN}/run.json", RUN.title()]
HOSTILE += [RUN.replace("/ft/", f"/{method}/") for method in ("ft; rm -rf x", "ft$(id)", "f t", "ft'", 'ft"', "..")]
HOSTILE += [RUN.replace("/ft/", f"/ft@lr={value}/") for value in ("../trial-0", "0.1;", "'0.1'", "")]
HOSTILE += [RUN.replace("convnet", ".."), RUN.replace("/random-10", ""), RUN.replace("-0", "--1"), f"{RUN[:-1]}01"]
HOSTILE += [RUN.replace("random-10", bad) for bad in ("class-..", "class-a b", "class-8;", "random-010", "random-100")]
# Malformed methods, impossible scenarios and malformed cells.
METHODS = ["", "FT", "ft+CL", "ft+cl+cl", "ft@", "ft@lr", "ft@lr=0.1@lr=0.2", "ft lr", "ft\n", "-ft"]
SCENARIOS = ["random-0", "random-100", "random-", "class-", "class--x", "sequential-10x10", "sequential-0x5", "half"]
SCENARIOS += ["memorised-0", "typical-100", "listed-", "listed-A", "listed-a_b", "random-10\n"]
CELLS = ["digits", "digits/convnet", "digits/convnet/random-10/x", "digits//random-10", "a/b/c"]


@settings(max_examples=25)
@given(words, words, scenarios, methods, st.integers(0, 10**6))
def test_a_run_and_its_cell_survive_being_written_and_read(dataset, arch, scenario, method, trial):
    original = RunName(dataset, arch, "", "original", trial)
    assert str(original) == f"{dataset}/{arch}/original/trial-{trial}"
    for name in (RunName(dataset, arch, scenario, method, trial), original):
        assert RunName.parse(str(name)) == name
    place = f"{dataset}/{arch}/{scenario}"
    try:
        assert str(Cell.parse(place)) == place
    except BadInput as error:
        assert "at most 99 %" in str(error)


@given(methods)
def test_a_method_name_read_twice_is_the_same(text):
    try:
        parsed = MethodName.parse(text)
    except BadInput as error:
        keys = [setting.split("=")[0] for setting in text.split("@")[1:]]
        assert "twice" in str(error) and len(set(keys)) < len(keys)
    else:
        assert MethodName.parse(str(parsed)) == parsed


@given(st.text(max_size=40))
def test_any_text_is_a_run_or_bad_input(text):
    try:
        assert str(RunName.parse(text)) == text
    except BadInput as error:
        assert repr(text) in str(error)


def test_malformed_and_hostile_names_are_refused():
    kinds = {RunName.parse: HOSTILE, MethodName.parse: METHODS, Scenario: SCENARIOS, Cell.parse: CELLS}
    for parse, texts in kinds.items():
        for text in texts:
            with pytest.raises(BadInput) as caught:
                parse(text)
            message = str(caught.value)
            assert "\n" not in message
            assert parse is not RunName.parse or "accepted is" in message
            assert parse is not Scenario or (repr(text) in message and "accepted" in message)


def test_the_name_of_a_class_with_decomposed_letters_is_suggested_as_the_dataset_has_it():
    with pytest.raises(BadInput, match="as in 'class-größe'"):
        Scenario(unicodedata.normalize("NFD", "class-größe"))


def test_coun_is_another_name_of_ft_with_the_contrastive_term():
    for text in ("coun", "ft+cl"):
        name = MethodName.parse(text)
        assert name == MethodName("ft", True, ()) and str(name) == name.head == "coun"
        assert str(MethodName.parse(f"{text}@tau=0.2@batch_size=64")) == "coun@batch_size=64@tau=0.2"
    assert str(MethodName.parse("not+cl")) == "not+cl" and str(MethodName.parse("ft")) == "ft"
    with pytest.raises(BadInput, match=r"here: method 'coun\+cl@tau=1': 'coun' has the contrastive term already"):
        MethodName.parse("coun+cl@tau=1", "here")


def test_a_scenario_says_what_is_forgotten():
    expected = {
        "random-10": ("random", None, 1, 10),
        "random-1": ("random", None, 1, 1),
        "class-truck": ("class", "truck", 1, 0),
        "class-pickup-truck_2": ("class", "pickup-truck_2", 1, 0),
        "class-8": ("class", "8", 1, 0),
        "sequential-5x10": ("sequential", None, 5, 10),
        "memorised-10": ("memorised", None, 1, 10),
        "typical-5": ("typical", None, 1, 5),
        "listed-a-b2": ("listed", None, 1, 0),
    }
    for scenario, facts in ((Scenario(name), facts) for name, facts in expected.items()):
        assert (scenario.kind, scenario.class_name, scenario.stages, scenario.percent) == facts
