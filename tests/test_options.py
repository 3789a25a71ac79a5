"""What `--config` may say."""

import pytest

from benchmark.errors import BadInput
from benchmark.study.reading import validated
from benchmark.workflow.resources import Options


def read(**config):
    return validated(Options, config, "--config")


def test_what_is_not_said_has_a_default():
    assert read() == Options(study="quick", minutes=60, replace=False)


def test_values_are_read_as_snakemake_gives_them():
    for value in ("yes", "Yes", True, "true", 1, "1"):
        assert read(study="paper", minutes="25", replace=value) == Options(study="paper", minutes=25, replace=True)
    assert not read(replace="no").replace


def test_what_means_nothing_is_refused():
    for value in ("0", -5, 1.5, "", "soon", None):
        with pytest.raises(BadInput, match="--config: minutes: "):
            read(minutes=value)
    for value in ("maybe", "", None, 2):
        with pytest.raises(BadInput, match="--config: replace: "):
            read(replace=value)
    with pytest.raises(BadInput, match="did you mean 'study'"):
        read(studdy="paper")
