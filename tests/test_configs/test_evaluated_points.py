"""What is evaluated depends on the scene only, not on the seed or on who loads it."""
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import DepthPoints

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
NAMES = [
    'm2ae/scannet_det.py', 'm2ae/scannet_pretrain.py', 'm2ae/rooms_det.py', 'm2ae/rooms_3detr-m_pretrain.py',
    '3detr/3detr_scannet.py', '3detr/3detr_sunrgbd.py', '3detr/3detr-m_rooms.py'
]


@pytest.mark.parametrize('name', NAMES)
def test_a_scene_has_the_same_points_every_time(name):
    for loader in ('val_dataloader', 'test_dataloader'):
        step, = (step for step in Config.fromfile(CONFIGS / name)[loader].dataset.pipeline if 'Sample' in step.type)
        step.num_points = 50
        sample = TRANSFORMS.build(step)
        scene = DepthPoints(torch.arange(300.).view(100, 3), points_dim=3)
        drawn = []
        for seed, index in ((0, 4), (1, 4), (1, 5)):
            np.random.seed(seed)
            torch.manual_seed(seed)
            drawn.append(sample(dict(points=scene, sample_idx=index))['points'].tensor)
        assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[1], drawn[2])
        assert len(drawn[0].unique(dim=0)) == 50
