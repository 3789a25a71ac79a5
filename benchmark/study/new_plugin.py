"""A plugin to start from: its file, a study that shows it and a test, all of which work unchanged."""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path

import benchmark.study.plugins  # noqa: F401 (it fills the registries)
from benchmark import paths
from benchmark.errors import BadInput
from benchmark.files import write_text
from benchmark.methods.base import GROUPS
from benchmark.names import LONGEST
from benchmark.registry import ARCHITECTURES, METHODS, OWN_AUDITS, SOURCES, WORD, Registry
from benchmark.study.checks import TARGETS
from benchmark.study.new_study import is_number

METHOD = '''\
"""{title}: say here what it does, and where it is from."""

from benchmark.methods.base import Method, Recipe, setting
from benchmark.registry import METHODS


@METHODS.register("{name}")
class {title}(Method):
    """Cross-entropy on the retain data, from weights that were shrunk towards zero."""

    class Settings(Recipe):
        factor: float = setting(0.9, "what the starting weights are multiplied by", gt=0, le=1)

    contrastive = True  # {name}+cl is then a method too

    def prepare(self, model):
        for weights in model.parameters():
            weights.mul_(self.settings.factor)

    def loss(self, outputs, batch, epoch):
        return outputs["retain"].cross_entropy(batch["retain"].label)
'''
EXTENDING = """\
description: {description}
extends: quick
plugins: [{{module}}.py]
only: [{{name}}]
tables:
  {{name}}: # snakemake --cores 8 {{name}} --config study={{name}}
    kind: unlearning
    caption: Gaps to Retrain
    cells: [digits/{arch}/random-10]
    methods: [{methods}]
"""
METHOD_STUDY = EXTENDING.format(
    description="{title} beside FT and CoUn", arch="convnet", methods="ft, coun, {name}, {name}+cl"
)
METHOD_TEST = '''\
"""What {title} promises, as every method does, and what it alone does."""

from benchmark.contract.promises import broken
from benchmark.contract.miniature import miniature


def test_it_keeps_every_promise():
    assert not broken("{name}", ["{module}.py"])


def test_a_run_ends_with_other_weights_for_another_setting():
    with miniature("{name}", ["{module}.py"]) as test:
        assert not test.run("{name}@factor=0.5").same(test.run("{name}"))
'''
DATASET = '''\
"""{title}: say here what the images are, and where they are from."""

import numpy as np

from benchmark.data.arrays import Arrays
from benchmark.registry import SOURCES


@SOURCES.register("{name}")
def read(name, settings):
    """Noise over stripes: two classes, across or along; put the reading of your images in its place."""
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 2
    across = np.tile(np.arange(8) % 2 * 128, (8, 1))
    images = np.where(labels[:, None, None], across, across.T) + rng.integers(0, 128, (300, 8, 8))
    images = images[..., None].astype(np.uint8)
    return Arrays(images[:200], labels[:200], images[200:], labels[200:], ["along", "across"], where=name)
'''
DATASET_STUDY = """\
description: FT and CoUn on {title}
plugins: [{module}.py]
trials: 2
datasets:
  {name}:
    source: {name}
    augmentation: {{padding: 1, flip: false, mean: [0.5], std: [0.25]}}
hyperparameters:
  "*":
    training: {{epochs: 10, batch_size: 32}}
    unlearning: {{epochs: 4, batch_size: 32}}
tables:
  comparison: # snakemake --cores 8 comparison --config study={name}
    kind: unlearning
    caption: Gaps to Retrain
    cells: [{name}/convnet/random-10]
    methods: [ft, coun]
"""
DATASET_TEST = '''\
"""What {title} reads."""

import numpy as np

from benchmark.registry import SOURCES
from benchmark.study.study import Study


def test_images_and_labels_are_what_a_study_expects():
    settings = Study.load("{name}").datasets["{name}"]
    arrays = SOURCES.get("{name}")("{name}", settings)
    assert arrays.train_images.dtype == np.uint8 and arrays.train_images.ndim == 4
    assert len(arrays.train_images) == len(arrays.train_labels)
    assert set(arrays.train_labels) == set(range(len(arrays.classes)))
'''
ARCHITECTURE = '''\
"""{title}: say here what it is, and where it is from."""

from benchmark.registry import ARCHITECTURES


@ARCHITECTURES.register("{name}")
def make(classes, image_shape):
    """Return a network of one hidden layer for images of (channels, height, width)."""
    from torch import nn  # here, so that reading a study does not import torch

    from benchmark.models.classifier import Classifier

    channels, height, width = image_shape
    body = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 32), nn.ReLU())
    return Classifier(body, nn.Linear(32, classes))
'''
ARCHITECTURE_STUDY = EXTENDING.format(description="FT and CoUn with {title}", arch="{name}", methods="ft, coun")
ARCHITECTURE_TEST = '''\
"""What {title} makes of images."""

import torch

from {module} import make


def test_features_and_logits_have_their_shapes():
    features, logits = make(10, (1, 8, 8))(torch.zeros(3, 1, 8, 8))
    assert features.ndim == 2 and logits.shape == (3, 10)
'''
AUDIT = '''\
"""{title}: say here what it asks, and where it is from."""

from benchmark.registry import OWN_AUDITS


@OWN_AUDITS.register("{name}", label="{title}")
def read(samples):
    """Mean loss of the forgotten images, in nats."""
    return samples.loc[samples["membership"] == "forget", "loss"].mean()
'''
AUDIT_STUDY = """\
description: {title} beside the other audits
extends: quick
plugins: [{module}.py]
audits: [{name}]
only: [{name}, {name}-trusted]
tables:
  {name}: &audit # snakemake --cores 8 {name} --config study={name}
    kind: audit
    caption: Is it forgotten?
    cells: [digits/convnet/random-50]
    methods: [original, ft, coun]
  {name}-trusted:
    <<: *audit
    kind: metrics
    caption: How far can each audit be trusted?
"""
AUDIT_TEST = '''\
"""What {title} reads."""

import pandas as pd

from {module} import read


def test_forgotten_images_alone_count():
    samples = pd.DataFrame({{"membership": ["retain", "forget", "forget", "test"], "loss": [9.0, 1.0, 3.0, 9.0]}})
    assert read(samples) == 2
'''
LONGEST_NEW = LONGEST - 20  # other names begin with it
NOT_TEXT = ("true", "false", "null")  # to YAML
KINDS: dict[str, tuple[Registry, str, str, str]] = {
    "method": (METHODS, METHOD, METHOD_STUDY, METHOD_TEST),
    "dataset": (SOURCES, DATASET, DATASET_STUDY, DATASET_TEST),
    "architecture": (ARCHITECTURES, ARCHITECTURE, ARCHITECTURE_STUDY, ARCHITECTURE_TEST),
    "audit": (OWN_AUDITS, AUDIT, AUDIT_STUDY, AUDIT_TEST),
}


def write(kind: str, name: str) -> list[Path]:
    """Write a plugin, its study and its test, and return their paths.

    ``kind`` is one of `KINDS`. Raises `BadInput` if the name is malformed or in use, or if any of the files exists.
    """
    registry, *templates = KINDS[kind]
    if not re.fullmatch(WORD, name) or not name[0].isalpha() or len(name) > LONGEST_NEW:
        form = f"lower-case words and digits joined by '-', a letter first, at most {LONGEST_NEW} characters"
        raise BadInput(f"{kind} {name!r}: accepted are {form}")
    if fault := _unusable(kind, name, registry):
        raise BadInput(f"{kind} {name!r}: {fault}: call the new one something else")
    module, title = name.replace("-", "_"), re.sub("(^|-)(.)", lambda match: match[2].upper(), name)
    files = [Path(f"{module}.py"), paths.study_file(name), Path(f"test_{module}.py")]
    for file in files:
        if file.exists():
            raise BadInput(f"{file} exists already: call the new {kind} something else")
    spec = importlib.util.find_spec(module)
    is_keyword = keyword.iskeyword(module) or keyword.iskeyword(title)
    if is_keyword or (spec and spec.origin):  # a folder has no origin, and hides no module
        raise BadInput(f"{kind} {name!r}: Python has {module!r} already: call the new one something else")
    for file, template in zip(files, templates, strict=True):
        write_text(file, template.format(name=name, module=module, title=title))
    return files


def _unusable(kind: str, name: str, registry: Registry) -> str:
    """Say why a study could not show what has this name, or would take it for something else; empty if it could."""
    from benchmark.metrics.samplewise.built_in_audits import AUDITS  # here, since it imports scipy

    if name in registry or (kind == "audit" and name in AUDITS):
        return "there is one of that name"
    if name in NOT_TEXT:
        return "a study file reads that as no name"
    if name in GROUPS:
        return "a group of hyperparameters has that name"
    if name in TARGETS:
        return "the workflow has a target of that name"
    return "snakemake's --config reads that as a number" if is_number(name) else ""
