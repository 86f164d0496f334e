"""Scenes that are hardly scenes, and clouds of different sizes, through whole training and evaluation runs."""
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from runs import CONFIGS
from scenes import box_scene, write_layout

# Scenes with fewer points than centres are meant here.
pytestmark = pytest.mark.filterwarnings('ignore:scale 1 takes')

HEAD = dict(in_channels=32, projection_channels=(16, ), embed_dims=32, num_queries=8, num_layers=2)
# With more tokens than the smallest scenes have points.
THREE_DETR = dict(
    num_points=64, num_samples=8, mlp_channels=(16, ), embed_dims=32,
    interim=dict(num_points=32, num_samples=6, mlp_channels=(16, )))
HIERARCHICAL = dict(
    num_centers=[64, 32, 16], num_neighbors=[8, 4, 4], depths=[1, 1, 1], point_hidden=[8, 8, 16],
    embed_dims=[12, 24, 48], num_heads=2)
DETECTORS = {
    '3detr/3detr-m_scannet.py': dict(backbone=THREE_DETR, bbox_head=HEAD),
    'm2ae/scannet_det.py': dict(
        backbone=HIERARCHICAL, neck=dict(encoder_dims=[12, 24, 48], out_channels=[32]), bbox_head=HEAD),
}
PRETRAINING = {
    'm2ae/scannet_3detr-m_pretrain.py': dict(
        backbone=THREE_DETR, neck=dict(encoder_dims=[32, 32], embed_dims=[32]), head=dict(in_channels=32)),
    'm2ae/scannet_pretrain.py': dict(
        backbone=HIERARCHICAL, neck=dict(encoder_dims=[12, 24, 48], embed_dims=[48, 24], num_heads=2),
        head=dict(in_channels=24)),
}


def scene(points, boxes=(), labels=()):
    points = np.asarray(points, np.float32).reshape(-1, 3)
    return dict(points=np.hstack([points, np.zeros_like(points)]), alignment=np.eye(4),
                boxes=np.asarray(boxes, np.float32).reshape(-1, 6), labels=list(labels))


def scenes():
    """From an ordinary scene of 400 points to a single one."""
    usual = box_scene(0, num_points=400)
    flat = usual['boxes'].copy()
    flat[0, 3:] = [0, 1, 1]
    flat[1, 3:] = 0
    return {
        'usual': usual,
        'no ground truth': scene(usual['points'][:300, :3]),
        'boxes without volume': {**usual, 'boxes': flat},
        'a box around nothing': scene(usual['points'][:200, :3], [[50, 50, 50, 1, 1, 1]], [3]),
        'fewer points than tokens': scene(usual['points'][:5, :3], usual['boxes'][:1], [2]),
        'one place': scene(np.ones((30, 3)), [[1, 1, 1, 1, 1, 1]], [2]),
        'a flat scene': scene(usual['points'][:100, :3] * [1, 1, 0], usual['boxes'][:1], [4]),
        'one point': scene([[0, 0, 0]]),
    }


def run(name, sizes, tmp_path, **options):
    """One epoch over all scenes in batches of two, then evaluation on them; returns the runner and its losses."""
    root = write_layout(tmp_path / 'data', list(scenes().values()), list(scenes().values()))
    config = Config.fromfile(CONFIGS.parent / name)
    config.model.merge(sizes)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        config[loader].update(batch_size=2, num_workers=0, persistent_workers=False)
        config[loader].dataset.data_root = str(root)
        # Without sampling, the clouds of a batch differ in size.
        sampling = 'PointSample', 'M2AESamplePoints', 'ThreeDETRRandomCuboid'
        config[loader].dataset.pipeline = [step for step in config[loader].dataset.pipeline
                                           if step.type not in sampling]
    config.train_cfg.update(max_epochs=1, val_interval=1)
    config.merge_from_dict(dict(work_dir=str(tmp_path), log_level='WARNING', **options))
    runner = Runner.from_cfg(config)
    runner.train()
    assert all(torch.isfinite(value).all() for value in runner.model.state_dict().values())
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 4 and np.isfinite(losses).all()
    return runner.message_hub


@pytest.mark.parametrize('name', DETECTORS)
def test_detector_trains_and_is_scored(name, tmp_path):
    scores = run(name, DETECTORS[name], tmp_path, **{'model.test_cfg.score_thr': 0.})
    assert 0 <= scores.get_scalar('val/mAP_0.25').current() <= 1


def test_no_detection_at_all_scores_zero(tmp_path):
    name = '3detr/3detr-m_scannet.py'
    scores = run(name, DETECTORS[name], tmp_path, **{'model.test_cfg.score_thr': 1.})
    assert scores.get_scalar('val/mAP_0.25').current() == scores.get_scalar('val/mAR_0.50').current() == 0


@pytest.mark.parametrize('name', PRETRAINING)
def test_pretraining(name, tmp_path):
    scores = run(name, PRETRAINING[name], tmp_path)
    assert 0 < scores.get_scalar('val/reconstruction/chamfer').current() < 10  # square metres
