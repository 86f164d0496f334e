"""The 3DETR configs: sizes, and a run on a tiny data set laid out like the real one."""
import numpy as np
import pytest
from mmengine.config import Config
from runs import CONFIGS, LOADERS, tiny_config, train
from scenes import box_scene, write_layout

from m2ae_mm.checkpoint import write_checkpoint
from mmdet3d.registry import MODELS

FOLDER = CONFIGS.parent / '3detr'
TINY = {
    'model.backbone.num_points': 64,
    'model.backbone.num_samples': 8,
    'model.backbone.mlp_channels': (16, ),
    'model.backbone.embed_dims': 32,
    'model.bbox_head.in_channels': 32,
    'model.bbox_head.embed_dims': 32,
    'model.bbox_head.projection_channels': (32, ),
    'model.bbox_head.num_queries': 16,
    'model.bbox_head.num_layers': 2,
    'model.test_cfg.score_thr': 0.,
}


@pytest.mark.parametrize('name,millions', [('3detr_scannet.py', 7.31), ('3detr-m_scannet.py', 7.44)])
def test_as_many_parameters_as_published(name, millions):
    model = MODELS.build(Config.fromfile(FOLDER / name).model)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


def train_and_score(folder, name, prefix, columns, options):
    """Train a config on four scenes laid out like its data, the last without boxes, and evaluate it on them."""
    scenes = [box_scene(i, num_points=1000) for i in range(4)]
    for i, scene in enumerate(scenes):
        boxes = np.hstack([scene['boxes'], np.full((4, 1), 0.3)])[:4 * (i < 3), :columns]
        scene.update(boxes=boxes, labels=scene['labels'][:len(boxes)] % 10)
    root = write_layout(folder / 'data', scenes, scenes, prefix)
    config = tiny_config(f'../{name}', folder / 'work', root, batch_size=2, **options)
    for loader in LOADERS:  # all points, which are fewer than a config draws
        data = config[loader].dataset
        data.pipeline = [step for step in data.pipeline if step.type not in ('PointSample', 'M2AESamplePoints')]
    hub = train(config).message_hub
    assert 0 < hub.get_scalar('train/loss').current() < 200
    assert 0 <= hub.get_scalar('val/mAP_0.25').current() <= 1


def test_trains_and_evaluates(tmp_path):
    """Boxes that turn; ``test_degenerate_scenes.py`` has those that do not."""
    train_and_score(tmp_path, '3detr/3detr_sunrgbd.py', 'sunrgbd', 7, TINY)


@pytest.mark.parametrize('name', ['3detr-m_scannet.py', '3detr_sunrgbd.py'])
def test_weights_without_meta_data_serve_mmdet3ds_inference(name, tmp_path):
    from mmdet3d.apis import init_model
    path = FOLDER / name
    config = Config.fromfile(path)
    write_checkpoint(MODELS.build(config.model).state_dict(), tmp_path / 'weights.pth')
    model = init_model(path, str(tmp_path / 'weights.pth'), device='cpu')
    assert model.dataset_meta['classes'] == config.metainfo.classes
