"""Detectors on the backbone of another: each config builds, trains a step and predicts."""
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from scenes import box_scene, write_layout

from m2ae_mm.evaluation import M2AEIndoorMetric
from mmdet3d.registry import DATASETS, MODELS, VISUALIZERS
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample, PointData

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = {name: ROOT / f'projects/{name}/configs/{name}_scannet.py'
            for name in ('votenet_m2ae', 'groupfree3d_m2ae', 'ssd3d_m2ae')}
POINTNET2 = ROOT / 'configs/3detr/3detr-pointnet2_scannet.py'
BOXES = torch.tensor([[1., 1., 0.45, 1., 0.8, 0.9], [3., 2., 0.3, 0.7, 1.4, 0.6]])
LABELS = torch.tensor([4, 2])
BACKGROUND = 18
# Norms of scales that neither neck nor head reads.
UNUSED = {'votenet_m2ae_scannet': {'backbone.norms.0'}, 'groupfree3d_m2ae_scannet': {'backbone.norms.0'},
          'ssd3d_m2ae_scannet': {'backbone.norms.0', 'backbone.norms.1'}}
TINY_ENCODER = dict(num_centers=[128, 64, 32], num_neighbors=[8, 4, 4], depths=[1, 1, 1], point_hidden=[8, 8, 16])


@pytest.fixture(autouse=True)
def mmdet3d_scope():
    with DefaultScope.overwrite_default_scope('mmdet3d'):
        yield


def scene(seed, columns):
    """Two boxes full of points on a floor: points (600, 3 or 4, the last their height), and their annotated sample."""
    generator = torch.Generator().manual_seed(seed)
    floor = torch.rand(300, 3, generator=generator) * torch.tensor([4., 3., 0.02])
    owner = torch.arange(300) % 2
    inside = BOXES[owner, :3] + (torch.rand(300, 3, generator=generator) - 0.5) * 0.98 * BOXES[owner, 3:]
    points = torch.cat([floor, inside])
    sample = Det3DDataSample(metainfo=dict(box_type_3d=DepthInstance3DBoxes, box_mode_3d=2))
    boxes = DepthInstance3DBoxes(BOXES, box_dim=6, with_yaw=False, origin=(0.5, 0.5, 0.5))
    sample.gt_instances_3d = InstanceData(bboxes_3d=boxes, labels_3d=LABELS)
    sample.eval_ann_info = dict(gt_bboxes_3d=boxes, gt_labels_3d=LABELS.numpy())
    sample.gt_pts_seg = PointData(
        pts_semantic_mask=torch.cat([torch.full((300, ), BACKGROUND), LABELS[owner]]),
        pts_instance_mask=torch.cat([torch.zeros(300, dtype=torch.long), owner + 1]))
    return torch.cat([points, points[:, 2:]], 1)[:, :columns], sample


def shrunk(path):
    config = Config.fromfile(path)
    model = config.model
    if model.backbone.type == 'PointM2AEEncoder':
        model.backbone.update(TINY_ENCODER)
    else:
        model.backbone.update(num_points=(128, 64, 32, 16), num_samples=(8, 8, 8, 8))
    for name, size in (('num_proposal', 16), ('num_queries', 16), ('num_layers', 2)):
        if name in model.bbox_head:
            model.bbox_head[name] = size
    if 'vote_aggregation_cfg' in model.bbox_head:
        model.bbox_head.vote_aggregation_cfg.num_point = 16
    if 'num_points' in model.bbox_head.get('vote_module_cfg', {}):
        # 3DSSD: fewer candidates than tokens, one proposal from each.
        model.bbox_head.vote_module_cfg.num_points = 16
    return config


@pytest.mark.parametrize('path', [*PROJECTS.values(), POINTNET2], ids=lambda path: path.stem)
def test_trains_and_is_scored(path):
    config = shrunk(path)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    scenes = [scene(seed, config.model.backbone.in_channels) for seed in range(2)]
    losses = model(dict(points=[points for points, _ in scenes]), [sample for _, sample in scenes], mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert total.isfinite() and total > 0
    gradients = {name: value.grad for name, value in model.named_parameters()}
    without = {name.rsplit('.', 1)[0] for name, gradient in gradients.items() if gradient is None}
    assert without == UNUSED.get(path.stem, set())
    assert config.get('find_unused_parameters', False) == bool(without)
    assert all(gradient.isfinite().all() for gradient in gradients.values() if gradient is not None)

    model.eval()
    metric = M2AEIndoorMetric()
    metric.dataset_meta = dict(classes=config.metainfo.classes)
    with torch.no_grad():
        for points, sample in scenes:  # one at a time: mmdet3d's GroupFree3D predicts no larger batch
            result = model(dict(points=[points]), [sample], mode='predict')[0]
            assert result.pred_instances_3d.scores_3d.isfinite().all()
            metric.process({}, [result.to_dict()])
    scores = metric.evaluate(size=2)
    assert 0 <= scores['mAP_0.25'] <= 1 and 'chair_AP_0.50' in scores


@pytest.mark.parametrize('name,place,seeds,width', [
    ('votenet_m2ae', 'fp', 1024, 256), ('groupfree3d_m2ae', 'fp', 1024, 288), ('ssd3d_m2ae', 'sa', 256, 384)])
def test_head_receives_what_its_config_says(name, place, seeds, width):
    """At full size: seeds of the width that the head takes, each at the input point its index names."""
    config = Config.fromfile(PROJECTS[name])
    config.model.backbone.depths = [0, 0, 0]  # attention changes no shape and takes minutes here
    model = MODELS.build(config.model).eval()
    points = torch.rand(1, 2100, model.backbone.in_channels)
    with torch.no_grad():
        outputs = model.extract_feat(dict(points=[points[0]]))
        result, = model(dict(points=[points[0]]), [scene(0, 3)[1]], mode='predict')
    assert result.pred_instances_3d.scores_3d.isfinite().all()
    xyz, features, indices = (outputs[f'{place}_{kind}'][-1] for kind in ('xyz', 'features', 'indices'))
    assert features.shape == (1, width, seeds)
    assert torch.equal(xyz[0], points[0, indices[0], :3])
    head = config.model.bbox_head
    assert width == (head.in_channels if name.startswith('groupfree') else head.vote_module_cfg.in_channels)


@pytest.mark.parametrize('path', PROJECTS.values(), ids=PROJECTS)
def test_only_the_backbone_and_what_depends_on_it_differ(path):
    config = Config.fromfile(path)
    assert config.val_evaluator.type == config.test_evaluator.type == 'M2AEIndoorMetric'
    assert type(VISUALIZERS.build(config.visualizer)).__name__ == 'M2AELocalVisualizer'
    expected = Config.fromfile(ROOT / 'configs/m2ae/scannet_det.py').model.backbone
    expected.in_channels = 3 + any(step.get('shift_height', False) for step in config.train_pipeline)
    assert config.model.backbone == expected


def test_the_snippet_of_the_docs_is_the_project(tmp_path):
    snippet = (ROOT / 'docs/plug_in.md').read_text().split('```python\n# my_votenet.py')[1].split('```')[0]
    (tmp_path / 'my_votenet.py').write_text('#' + snippet)
    mine, project = Config.fromfile(tmp_path / 'my_votenet.py'), Config.fromfile(PROJECTS['votenet_m2ae'])
    assert mine.to_dict() == project.to_dict()


def test_pretraining_with_height_as_in_the_readme(tmp_path):
    text = (ROOT / 'projects/votenet_m2ae/README.md').read_text()
    options = dict(word.split('=') for word in text.split() if '.shift_height=' in word or 'in_channels=' in word)
    assert len(options) == 3
    config = Config.fromfile(ROOT / 'configs/m2ae/scannet_pretrain.py')
    config.merge_from_dict({key: {'True': True, '4': 4}[value] for key, value in options.items()})
    root = write_layout(tmp_path, [box_scene(0)], [box_scene(1)])
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset.data_root = str(root)
        points = DATASETS.build(loader.dataset)[0]['inputs']['points']
        assert points.shape[1] == config.model.backbone.in_channels == 4
        floor = points[:, 2] - points[:, 3]
        torch.testing.assert_close(floor, floor.mean().expand(len(points)))
