"""What a run asks of a cluster."""

import pytest

from benchmark import paths
from benchmark.workflow import resources as needs
from tests.places import place, run_folder

COUN = "digits/convnet/random-10/coun@tau=0.2/trial-1"


@pytest.fixture
def used(empty):
    """Note what Snakemake measured of a finished run."""

    def note(name, seconds, memory, study="tiny"):
        path = paths.usage(place(study, name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\tmax_vms\n{seconds}\t0:00:00\t{memory}\t9\n")

    return note


def test_before_anything_has_finished_a_run_asks_for_the_first_guess(used):
    used("digits/convnet/random-10/ft/trial-0", 6000, 6000, study="another")
    used("digits/vit/random-10/coun@tau=0.2/trial-0", 6000, 6000)
    assert needs.minutes("tiny", COUN, attempt=1) == 60 and needs.memory_mb("tiny", COUN, attempt=1) == 4000
    assert needs.minutes("tiny", COUN, attempt=1, first=25) == 25


def test_a_run_asks_for_twice_the_longest_like_it_and_half_as_much_memory_again(used):
    used("digits/convnet/original/trial-0", 60000, 60000)
    used("digits/convnet/random-10/coun@tau=0.2/trial-0", 900, 700)
    used("digits/convnet/class-8/coun@tau=0.2/trial-0", 1201, 800)
    assert needs.minutes("tiny", COUN, attempt=1) == 41  # 2 x 1201 s
    assert needs.memory_mb("tiny", COUN, attempt=1) == 1.5 * 800 + 1000


def test_where_its_method_has_not_run_others_of_its_dataset_and_architecture_say(used):
    used("digits/convnet/original/trial-0", 1200, 900)
    used("digits/convnet/random-10/coun/trial-0", 100, 800)
    assert needs.minutes("tiny", COUN, attempt=1) == 40 and needs.memory_mb("tiny", COUN, attempt=1) == 2350


def test_a_job_of_seconds_still_has_time_to_start(used):
    used(COUN, 3, 700)
    assert needs.minutes("tiny", COUN, attempt=1) == 10


def test_a_job_that_went_on_after_its_time_limit_counts_all_of_its_calls(used):
    used(COUN, 600, 700)
    record = run_folder("tiny", COUN) / paths.RUN
    record.parent.mkdir(parents=True)
    record.write_text('{"wall_seconds": 18000}')
    assert needs.minutes("tiny", COUN, attempt=1) == 600
    record.write_text("half a rec")
    assert needs.minutes("tiny", COUN, attempt=1) == 20


def test_each_attempt_asks_for_more(used):
    assert [needs.minutes("tiny", COUN, attempt) for attempt in (1, 2, 3)] == [60, 120, 180]
    used(COUN, 1200, 800)
    assert [needs.minutes("tiny", COUN, attempt) for attempt in (1, 2, 3)] == [40, 80, 120]
    assert [needs.memory_mb("tiny", COUN, attempt) for attempt in (1, 2)] == [2200, 4400]


@pytest.mark.parametrize("memory", ["NA", "-", ""])
def test_a_job_that_ended_too_soon_to_be_measured_says_nothing(used, memory):
    used(COUN, 0.5, memory)
    assert needs.minutes("tiny", COUN, attempt=1) == 60


@pytest.mark.parametrize("text", ["", "s\tmax_rss\n1", "s\n1\n", "\x00\x01", "a\tb\n1\t2\n"])
def test_a_damaged_measurement_says_nothing(used, text):
    used(COUN, 1, 1)
    paths.usage(place("tiny", COUN)).write_text(text)
    assert needs.memory_mb("tiny", COUN, attempt=1) == 4000
