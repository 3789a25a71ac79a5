"""A plugin that breaks the contract of a method or an architecture is refused before anything is trained."""

from tests.test_refused import refused, table2

IMPORTS = """import torch
from benchmark.methods.base import Method, Part, Recipe, setting
from benchmark.models.classifier import Classifier
from benchmark.registry import ARCHITECTURES, METHODS, OWN_AUDITS
"""
# A method "half", the second of the table, and the architecture of its cell.
CLASS = "@METHODS.register('half')\nclass Half(Method):\n    "
SETTINGS = f"from pydantic import field_validator\n{CLASS}class Settings(Recipe):\n        "
MODEL = "@ARCHITECTURES.register('mine')\ndef mine(classes, image_shape):\n    return "
BODY = """class Body(torch.nn.Flatten):
    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Linear(7, 7)
    def forward(self, images):
        features = super().forward(images)
        return {}
"""
# What the body of an architecture "mine" returns, and why it is refused.
BODIES = {
    "(features, 0) if self.training else features": "AttributeError: 'tuple' object has no attribute 'flatten'",
    "features[:, :32] if self.training else features": "RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    "torch.nn.functional.dropout(features)": "gives other logits for the same images in evaluation mode",
    "features": "NoT negates body.unused.weight, which has no effect: accepted are the first layer's weights",
}
PLUGINS = {
    "@METHODS.register('half')\ndef half(model): ...": "accepted is a class derived from ",
    "@METHODS.register('half')\nclass Half: ...": "accepted is a class derived from ",
    f"{CLASS}class Settings: ...": "Settings: accepted is a class derived from ",
    f"{CLASS}def prepair(self, model): ...": "'prepair' is not part of a method; did you mean 'prepare'",
    f"{CLASS}contrastiv = True": "'contrastiv' is not part of a method; did you mean 'contrastive'",
    f"{CLASS}def loss(self, outputs): ...": "loss(self, outputs): accepted is loss(self, outputs, batch, epoch)",
    f"{CLASS}def prepare(self, model, *, rate): ...": "prepare(self, model, rate): accepted is prepare(self, model)",
    f"{CLASS}def loss(self, outputs, batch, epoch): outputs['retain'].logits.sum()": "method Half: loss returns None",
    f"{CLASS}loss = lambda self, outputs, batch, epoch: outputs['retain'].features[:, 0]": "a tensor of shape (32,)",
    f"{CLASS}loss = lambda self, outputs, batch, epoch: outputs['retain'].features.sum().detach()": (
        "loss returns a tensor without a gradient: accepted is one that follows from a part's features or logits"
    ),
    f"{CLASS}loss = lambda self, outputs, batch, epoch: outputs['forget'].features.sum()": (
        "loss uses the outputs of 'forget': accepted is a part of its step, retain"
    ),
    f"{SETTINGS}share = 0.5": "All model fields require a type annotation",
    f"{SETTINGS}share: set = {{1}}": "table2: method 'half': share: {1}: accepted is what JSON can hold: numbers, text",
    f"{SETTINGS}@field_validator('lr')\n        def check(cls, value):\n            return value / 0": (
        "hyperparameters of half: ZeroDivisionError: float division by zero (line 11)"
    ),
    "@METHODS.register\nclass Half(Method): ...": "accepted is a name, as in register('my-name')",
    "METHODS.add('half', 'my_module')": "'my_module': accepted is a class, a function or 'module:name'",
    "METHODS.add('half', 'json:half')": "method 'half' is 'json:half', and there is none",
    "METHODS.add('my_half', Method)": "plugin.py': method name 'my_half'",
    "METHODS.add('half', Method, label=3)": "method 'half': label 3: accepted is one line of text",
    "METHODS.add('half', Method, label='Ft')": "labels: 'Ft' would stand for ft and half",
    "METHODS.add('half', Method, colour='red')": "method 'half': colour 'red': accepted is '#RRGGBB'",
    f"{CLASS}batches = lambda self, epoch: [{{'all': part}} for part in self.parts('retain', epoch)]": (
        "plugins: 'half': method Half: paper_units has no entry for the part 'all' of its steps"
    ),
    f"{CLASS}paper_units = {{'retain': 3, 'forget': 3}}\n    batches = lambda self, epoch: "
    "[{'forget': part} for part in self.parts('forget', epoch)]": "executed_units has no entry for the part 'forget'",
    f"{CLASS}batches = lambda self, epoch: self.parts('retain', epoch)": "Half: batches returns [Part(",
    f"{CLASS}batches = lambda self, epoch: None": "method Half: batches returns None: accepted is a list of steps",
    f"{CLASS}batches = lambda self, epoch: [{{'retain': 3}}]": "gives the part 'retain' as 3: accepted is a benchmark.",
    f"{CLASS}prepare = lambda self, model: self.context.fresh('start')": (
        "method Half: prepare returns a Classifier: accepted is None: a method changes the model that it is given"
    ),
    f"{CLASS}paper_units = {{'retain': -3}}": "an image of the part 'retain' costs -3: accepted is a number of forward",
    f"{CLASS}executed_units = {{'retain': '3'}}": "an image of the part 'retain' costs '3'",
    f"{MODEL}Classifier(torch.nn.Flatten(), torch.nn.Linear(64, classes + 1))": (
        "architecture 'mine' gives logits of shape (2, 11) for 2 images and 10 classes: accepted is (2, 10)"
    ),
    f"{CLASS}batches = lambda self, epoch: [{{'retain': Part(self.context.retain - 65, self.context.labels[64:])}}]": (
        "batches gives position -1: accepted are those of context.present"
    ),
    f"{CLASS}batches = lambda self, epoch: [{{'retain': Part(self.context.retain + 99, self.context.labels[64:])}}]": (
        "batches gives position 640: accepted are those of context.present"
    ),
    f"{CLASS}batches = lambda self, epoch: [{{'retain': Part([64], [0])}}]": "Part of two tensors, with as many labels",
    f"{SETTINGS}x: float = setting(0.5, 'd', paper=(0, 1), scale='log')": "0 to 1: its orders of magnitude are",
    f"{SETTINGS}x: float = setting(0.5, 'd', paper=(2, 1))": "setting 'd': paper: 2 to 1: accepted is a lower and then",
    f"{SETTINGS}x: float = setting(0.5, 'd', paper=(0, 1), scale='cubic')": "scale 'cubic': accepted is linear, log,",
    f"{SETTINGS}x: float = setting(0.5, 'd', paper=('0', 1))": "'0' to 1: accepted are two finite numbers",
    f"{MODEL}Classifier(torch.nn.Flatten(), torch.nn.Linear(64, classes), negated=(2,))": (
        "a Classifier: negated: 2: accepted are positions of the parameters, 0 to 1"
    ),
    "@ARCHITECTURES.register('mine')\ndef mine(classes): ...": (
        "plugins: 'mine' is mine(classes): accepted is a function of (classes, image_shape)"
    ),
    f"{CLASS}loss = lambda self, outputs, batch, epoch: outputs['retain'].cross_entropi(batch['retain'].label)": (
        "plugins: 'half', tried on made-up images: AttributeError: 'Output' object has no attribute "
        "'cross_entropi' (line 7)"
    ),
    f"{CLASS}batches = lambda self, epoch: self.parts('retian', epoch)": "'Context' object has no attribute 'retian'",
    f"{CLASS}batches = lambda self, epoch: self.parts('retain')": "missing 1 required positional argument: 'epoch'",
    f"{CLASS}def prepare(self, model): next(model.parameters()).sum().backward()": (
        "method Half: prepare runs without gradients: accepted is self.gradients(...)"
    ),
    f"{CLASS}def __init__(self, settings): ...": "accepted is __init__(self, settings, context)",
    f"{CLASS}prepare = lambda self, model: weights": "NameError: name 'weights' is not defined (line 7)",
    f"{MODEL}Classifier(torch.nn.Flatten(), torch.nn.Linear(65, classes))": (
        "plugins: 'mine', tried on images of shape (1, 8, 8): RuntimeError: "
    ),
    "ARCHITECTURES.add('mine', 'json:mine')": "architecture 'mine' is 'json:mine', and there is none",
    f"{MODEL}None": "plugins: 'mine': architecture 'mine' returns NoneType: accepted is a benchmark.",
    f"{MODEL}Classifier(torch.nn.Flatten(), torch.nn.LazyLinear(classes))": "an uninitialized parameter",
    f"{MODEL}Classifier(torch.nn.Flatten(), torch.nn.Linear(64, classes).double())": "RuntimeError: ",
    f"import numpy\n{MODEL}Classifier(torch.nn.Flatten(), torch.nn.Linear(64, classes).requires_grad_(False))"
    ".apply(lambda layer: [weight.fill_(numpy.random.rand()) for weight in layer.parameters(recurse=False)])": (
        "architecture 'mine' has other weights with the same seed: accepted are weights that torch's generator draws"
    ),
    **{
        f"{BODY.format(returned)}{MODEL}Classifier(Body(), torch.nn.Linear(64, classes))": message
        for returned, message in BODIES.items()
    },
    **{
        f"METHODS.add({name!r}, Method)": "accepted are lower-case words"
        for name in ("Half", "half method", "half@x=1", "half+cl", "", "-half", "half\n")
    },
}
# An audit "au", which the study names.
AUDITS = {
    "@OWN_AUDITS.register('au')\ndef au(): ...": "audit 'au' is au(): accepted is a function of (samples)",
    "@OWN_AUDITS.register('au')\ndef au(samples, split): ...": "au(samples, split): accepted is a function of",
    "@OWN_AUDITS.register('au')\ndef au(samples): samples.loss.mean()": "it returns None: accepted is a number",
    "@OWN_AUDITS.register('au')\ndef au(samples): return samples.loss": "it returns ",
    "OWN_AUDITS.add('au', 'nowhere:au')": "audits: 'au': module 'nowhere' of a plugin cannot be found: install it",
    "OWN_AUDITS.add('au', 'json:au')": "audits: audit 'au' is 'json:au', and there is none: AttributeError",
}


def test_a_plugin_that_breaks_the_contract_is_refused(empty):
    file = empty.root / "plugin.py"

    def refusal(code, method="half", arch="convnet", **settings):
        file.write_text(f"{IMPORTS}{code}\n")
        table = table2(cells=[f"digits/{arch}/random-10"], methods=["ft", method])
        return refused(empty, table | {"plugins": [str(file)]} | settings)

    for code, message in PLUGINS.items():
        given = refusal(code, "not", "mine") if "mine" in code else refusal(code)
        assert message in given and "further information" not in given, code
    every = "[{'retain': Part(torch.arange(len(self.context.labels)), self.context.labels)}]"
    given = refusal(f"{CLASS}batches = lambda self, epoch: {every}", hold_out=10)
    assert "batches gives position 576: accepted are those of context.present" in given
    for code, message in AUDITS.items():
        assert message in refusal(code, "coun", audits=["au"]), code
    given = refusal("METHODS.add('training', Method)", "training")
    assert "method 'training': a group of hyperparameters has that name: call it otherwise" in given
