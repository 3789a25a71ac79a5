"""What `--config` may say."""

import pytest

from benchmark.errors import BadInput
from benchmark.workflow.options import Options


def test_what_is_not_said_has_a_default():
    assert Options.read({}) == Options(study="quick", minutes=60, replace=False)


@pytest.mark.parametrize("value", ["yes", "Yes", True, "true", 1, "1"])
def test_values_are_read_as_snakemake_gives_them(value):
    assert Options.read({"study": "paper", "minutes": 25, "replace": value}) == Options("paper", 25, True)
    assert not Options.read({"replace": "no"}).replace


@pytest.mark.parametrize("value", ["0", 0, -5, "1.5", 1.5, "an hour", "", None, True])
def test_a_first_guess_that_is_no_number_of_minutes_is_refused(value):
    with pytest.raises(BadInput, match=r"--config minutes=.*: accepted is a whole number from 1"):
        Options.read({"minutes": value})


@pytest.mark.parametrize("value", ["maybe", "", None, 2])
def test_a_replacement_that_is_neither_yes_nor_no_is_refused(value):
    with pytest.raises(BadInput, match=r"--config replace=.*: accepted are yes, true, 1, no"):
        Options.read({"replace": value})


def test_a_key_that_means_nothing_is_refused():
    with pytest.raises(BadInput, match=r"--config: unknown key 'studdy'; did you mean 'study'[?]"):
        Options.read({"studdy": "paper"})
