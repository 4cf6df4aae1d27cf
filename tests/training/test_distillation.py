"""The divergence from teachers, which is none where the student says the same."""

import torch
from torch import nn

from segmentation.models.image_model import Outputs
from segmentation.training.distillation import Distilled


def test_a_student_that_agrees_with_its_teachers_has_the_labels_loss_alone():
    logits = torch.randn(2, 3, 4, 5)
    teacher = nn.Identity()
    loss = Distilled(lambda outputs, batch: (outputs.logits.square().mean(), {}), [teacher], 0.5, 2)
    total, parts = loss(Outputs(logits, None), {"image": logits})
    assert parts["distillation"].abs() < 1e-6
    torch.testing.assert_close(total, 0.5 * logits.square().mean())
    _, parts = loss(Outputs(-logits, None), {"image": logits})
    assert parts["distillation"] > 0.1
