"""What is evaluated depends on the scene only, not on the seed or on who loads it."""
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import DepthPoints

ROOT = Path(__file__).resolve().parents[2]
NAMES = [f'configs/{name}.py' for name in (
    'm2ae/scannet_det', 'm2ae/scannet_pretrain', 'm2ae/rooms_det', 'm2ae/rooms_3detr-m_pretrain',
    '3detr/3detr_scannet', '3detr/3detr_sunrgbd', '3detr/3detr-m_rooms')]
NAMES += [f'projects/{name}_m2ae/configs/{config}_rooms.py' for name, config in (
    ('votenet', 'votenet'), ('votenet', 'votenet_m2ae'), ('groupfree3d', 'groupfree3d_m2ae'), ('ssd3d', 'ssd3d_m2ae'))]


@pytest.mark.parametrize('name', NAMES)
def test_a_scene_has_the_same_points_every_time(name):
    for loader in ('val_dataloader', 'test_dataloader'):
        steps = Config.fromfile(ROOT / name)[loader].dataset.pipeline
        step, = (step for outer in steps for step in (outer, *outer.get('transforms', ())) if 'Sample' in step.type)
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
