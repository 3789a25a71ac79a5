"""What a run asks of a cluster, and what `--config` may say."""

import json
from types import SimpleNamespace

import pytest

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.study.reading import validated
from benchmark.workflow.resources import Options, memory_mb, minutes

COUN = "digits/convnet/random-10/coun/trial-1-0a1b2c3d"
ORIGINAL = "digits/convnet/original/trial-0-0a1b2c3d"
IMAGES = {"dataset": {"provenance": "1,197 digits"}}
RUN = SimpleNamespace(pool_path=COUN, origin=IMAGES, settings=SimpleNamespace(epochs=10))


@pytest.fixture
def finish(empty):
    """Return a function that records a finished run's time and memory, by default of as many epochs."""

    def record(pool_path, seconds, memory, images=IMAGES, epochs=10, **fields):
        path = paths.run(pool_path) / paths.RUN
        path.parent.mkdir(parents=True, exist_ok=True)
        made_from = images | {"settings": {"epochs": epochs}}
        path.write_text(json.dumps({"wall_seconds": seconds, "peak_memory_mb": memory, "slice": made_from} | fields))

    return record


def request(attempt=1):
    """Return the minutes and MiB that a run of CoUn asks for."""
    return minutes(RUN, attempt, first=60), memory_mb(RUN, attempt)


def test_a_run_asks_for_twice_the_time_and_half_again_the_memory_of_similar_runs(finish):
    finish("digits/vit/random-10/coun/trial-0-0a1b2c3d", 6000, 6000)  # not similar
    assert [request(attempt) for attempt in (1, 2, 3)] == [(60, 4000), (120, 8000), (180, 12000)]
    assert minutes(RUN, attempt=1, first=25) == 25
    # Where its method has not run, others of its dataset and architecture count.
    finish(ORIGINAL, 1200, 900)
    finish("digits/convnet/random-10/ft/trial-0-0a1b2c3d", 100, 800)
    assert request() == (40, 1.5 * 900 + 1000)
    finish("digits/convnet/random-10/coun/trial-0-00000000", 900, 700)
    finish("digits/convnet/class-8/coun/trial-0-11111111", 1201, 800)
    assert request() == (41, 1.5 * 800 + 1000)  # 2 x 1201 s


def test_a_short_try_says_how_long_an_epoch_takes_and_one_on_other_images_nothing(finish):
    finish(COUN, 3600, 9000, images={"dataset": {"provenance": "100 digits"}})
    assert request() == (60, 4000)
    finish(COUN, 120, 800, epochs=1)
    assert request() == (40, 2200)  # twice ten epochs of 120 s
    finish(COUN, 120, 800, epochs=0)  # of a method that trains for none
    assert request() == (40, 2200)


def test_a_job_of_seconds_is_given_time_to_start(finish):
    finish(COUN, 3, 800)
    assert [request(attempt) for attempt in (1, 2)] == [(10, 2200), (20, 4400)]


def test_on_a_gpu_the_memory_of_the_process_counts_and_a_damaged_record_says_nothing(finish):
    finish(COUN, 600, 9000, process_memory_mb=2000)
    assert request() == (20, 4000)
    finish(COUN, 600, 3000)
    assert request() == (20, 5500)
    for text in ("", "half a rec", "[]", "{}", '{"wall_seconds": 1, "peak_memory_mb": null}'):
        (paths.run(COUN) / paths.RUN).write_text(text)
        assert request() == (60, 4000), text


def options(**config):
    return validated(Options, config, "--config")


def test_options_are_read_as_snakemake_gives_them():
    assert options() == Options(study="quick", minutes=60, replace=False)
    for value in ("yes", "Yes", True, "true", 1, "1"):
        assert options(study="paper", minutes="25", replace=value) == Options(study="paper", minutes=25, replace=True)
    assert not options(replace="no").replace


def test_an_option_that_means_nothing_is_refused():
    for value in ("0", -5, 1.5, "", "soon", None):
        with pytest.raises(BadInput, match="--config: minutes: "):
            options(minutes=value)
    for value in ("maybe", "", None, 2):
        with pytest.raises(BadInput, match="--config: replace: "):
            options(replace=value)
    with pytest.raises(BadInput, match="did you mean 'study'"):
        options(studdy="paper")
