"""Checkpoints of earlier versions are still what they were."""
from pathlib import Path

import torch

from m2ae_mm.inference.opening import config_of, open_model

# Trained for an epoch at commit f972f36; its config is inside.
FILE = Path(__file__).parents[1] / 'data' / 'checkpoints' / 'classifier.pth'
LOGITS = [[-0.14040029, 0.15058225, 0.16613796, 0.05855752], [-0.14087753, 0.15276083, 0.19599900, 0.02763510]]


def test_a_checkpoint_opens_by_the_config_inside_and_gives_the_same_scores():
    clouds = torch.rand(2, 100, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    model = open_model(config_of(FILE), FILE).eval()
    with torch.no_grad():
        torch.testing.assert_close(model.classify(clouds)[:, :4], torch.tensor(LOGITS), rtol=1e-4, atol=1e-5)
