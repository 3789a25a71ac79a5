"""What `--config` may say."""

import pytest

from benchmark.errors import BadInput
from benchmark.workflow.options import Options


def test_what_is_not_said_has_a_default():
    assert Options.read({}) == Options(study="quick", minutes=60, replace=False)


def test_values_are_read_as_snakemake_gives_them():
    for value in ("yes", "Yes", True, "true", 1, "1"):
        assert Options.read({"study": "paper", "minutes": 25, "replace": value}) == Options("paper", 25, True)
    assert not Options.read({"replace": "no"}).replace


@pytest.mark.parametrize(
    ("config", "message"),
    [
        *(
            ({"minutes": value}, "--config minutes=.*: accepted is a whole number from 1")
            for value in ("0", -5, 1.5, "")
        ),
        *(({"minutes": value}, "--config minutes=.*: accepted is a whole number from 1") for value in (None, True)),
        *(
            ({"replace": value}, "--config replace=.*: accepted are yes, true, 1, no")
            for value in ("maybe", "", None, 2)
        ),
        ({"studdy": "paper"}, "--config: unknown key 'studdy'; did you mean 'study'[?]"),
    ],
)
def test_what_means_nothing_is_refused(config, message):
    with pytest.raises(BadInput, match=message):
        Options.read(config)
