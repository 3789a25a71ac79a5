import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmark.seeds import Streams

KEY = ("digits", "convnet", "random-10", "trial-0")


def test_another_seed_key_purpose_or_epoch_gives_another_stream_and_the_same_gives_the_same():
    def draw(seed=1, key=KEY, purpose="order-retain", epoch=0):
        return tuple(Streams(seed, key).numpy(purpose, epoch).integers(2**62, size=4))

    assert draw() == draw()
    keys = [(*KEY[:3], "trial-1"), ("digits", "convnet", "random-50", "trial-0"), ("digits", "vit", *KEY[2:])]
    others = [draw(seed=2), draw(purpose="order-forget"), draw(epoch=1), *(draw(key=key) for key in keys)]
    assert len({draw(), *others}) == 7


@given(st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 500), st.text(max_size=5)), min_size=2, unique=True))
def test_no_two_streams_begin_with_the_same_number(streams):
    firsts = [Streams(seed, KEY).integer(purpose, epoch) for seed, epoch, purpose in streams]
    assert len(set(firsts)) == len(firsts)
    assert all(0 <= first < 2**63 for first in firsts)


def test_every_kind_of_draw_repeats_in_any_process_and_leaves_the_global_generators_alone():
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    streams = Streams(1, KEY)
    assert torch.equal(streams.permutation(50, "a"), streams.permutation(50, "a"))
    assert streams.permutation(50, "a").sort().values.tolist() == list(range(50))
    assert torch.equal(streams.integers(10, 500, "a"), streams.integers(10, 500, "a"))
    assert streams.integers(10, 500, "a").unique().tolist() == list(range(10))
    first, second = (torch.rand(5, generator=streams.generator("a", 3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before[0]) and np.random.get_state()[1].tolist() == before[1]
    assert Streams(1, KEY).integer("init") == 4216138309468780775


def test_the_streams_of_a_run_do_not_depend_on_its_method(project):
    study = project.study()
    streams = [project.job(study, project.name(method)).streams for method in ("retrain", "ft", "coun", "salun")]
    assert streams == [streams[0]] * 4
    for other in (project.name("ft", trial=1), project.name("ft", "class-8")):
        assert project.job(study, other).streams != streams[0]


def test_methods_of_one_trial_see_the_same_first_views_and_coun_a_second(project, monkeypatch):
    from benchmark.training.batches import Images

    seen: list[tuple[list[int], torch.Tensor]] = []
    load = Images.load

    def record(self, part, generator):
        images = load(self, part, generator)
        seen.append((part.index.tolist(), images.clone()))
        return images

    monkeypatch.setattr(Images, "load", record)
    views = {}
    for method in ("ft", "coun", "not", "l1-sparse"):
        seen.clear()
        project.run(project.study(), project.name(method))
        views[method] = list(seen)
    first, second = views["coun"][::2], views["coun"][1::2]
    for other in (views["ft"], views["not"], views["l1-sparse"], second):
        assert [index for index, _ in other] == [index for index, _ in first]
        equal = [torch.equal(images, view) for (_, images), (_, view) in zip(other, first, strict=True)]
        assert not any(equal) if other is second else all(equal)
