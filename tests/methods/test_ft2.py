import torch
import torch.nn.functional as F


def test_the_loss_is_the_mean_over_two_views_of_each_retain_image(project, outputs_of):
    trainer = project.start(project.study(), project.name("ft2"))
    for step in trainer.method.batches(0):
        outputs = outputs_of(trainer, step)
        first, second = step["retain"], step["view"]
        assert torch.equal(first.index, second.index) and first.transform == second.transform == "CHN"
        assert not torch.equal(outputs["retain"].images, outputs["view"].images)
        expected = sum(F.cross_entropy(output.logits, first.label) for output in outputs.values()) / 2
        torch.testing.assert_close(trainer.method.loss(outputs, step, 0), expected)


def test_ft2_costs_what_coun_does(shared):
    costs = ["pflops", "pflops_executed"]
    assert shared.run("ft2").history[costs].equals(shared.run("coun").history[costs])
