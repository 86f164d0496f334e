"""The 3DETR configs: sizes, and a run on a tiny data set laid out like the real one."""
import pickle

import numpy as np
import pytest
from mmengine.config import Config
from runs import CONFIGS, tiny_config, train

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


def test_masked_variants_share_their_encoder():
    scannet = Config.fromfile(FOLDER / '3detr-m_scannet.py').model
    sunrgbd = Config.fromfile(FOLDER / '3detr-m_sunrgbd.py').model
    assert scannet.backbone.pop('dropout') == 0.3 and sunrgbd.backbone.pop('dropout') == 0.1
    assert scannet.backbone == sunrgbd.backbone
    assert sunrgbd.bbox_head.projection_channels == (256, ) and sunrgbd.train_cfg.matcher.cost_giou == 3


def test_crops_follow_alignment_and_precede_sampling():
    steps = [step.type for step in Config.fromfile(FOLDER / '3detr_scannet.py').train_dataloader.dataset.pipeline]
    assert steps[2:6] == ['GlobalAlignment', 'M2AESceneFrame', 'ThreeDETRRandomCuboid', 'PointSample']


def write_data(root, prefix, box_columns, num_scenes=4):
    """Scenes of random points with two boxes each, the last scene without any."""
    rng = np.random.default_rng(0)
    (root / 'points').mkdir(parents=True)
    scenes = []
    for i in range(num_scenes):
        cloud = np.concatenate([rng.random((1000, 3)) * [4, 4, 2], np.zeros((1000, 3))], 1)
        cloud.astype(np.float32).tofile(root / 'points' / f'{i}.bin')
        boxes = np.concatenate([0.5 + rng.random((2, 6)), rng.random((2, 1))], 1)[:, :box_columns]
        instances = [dict(bbox_3d=box.tolist(), bbox_label_3d=label) for label, box in enumerate(boxes)]
        scenes.append(
            dict(
                lidar_points=dict(num_pts_feats=6, lidar_path=f'{i}.bin'),
                axis_align_matrix=np.eye(4).tolist(),
                pts_semantic_mask_path=f'{i}.bin',
                pts_instance_mask_path=f'{i}.bin',
                instances=instances if i < num_scenes - 1 else []))
    for split in ('train', 'val'):
        with open(root / f'{prefix}_infos_{split}.pkl', 'wb') as file:
            pickle.dump(dict(metainfo=dict(categories={}), data_list=scenes), file)
    return str(root)


@pytest.mark.parametrize('name,prefix,columns', [('3detr-m_scannet.py', 'scannet', 6),
                                                 ('3detr_sunrgbd.py', 'sunrgbd', 7)])
def test_trains_and_evaluates(tmp_path, name, prefix, columns):
    root = write_data(tmp_path / 'data', prefix, columns)
    options = {f'{loader}_dataloader.dataset.data_root': root for loader in ('train', 'val', 'test')}
    if name.startswith('3detr-m'):
        options.update({'model.backbone.interim.num_points': 32, 'model.backbone.interim.mlp_channels': (16, )})
    config = tiny_config(f'../3detr/{name}', tmp_path / 'work', batch_size=2, **TINY, **options)
    config.train_dataloader.dataset.pipeline = [
        step for step in config.train_dataloader.dataset.pipeline if step.type != 'PointSample'
    ]
    runner = train(config)
    assert 0 < runner.message_hub.get_scalar('train/loss').current() < 200
    assert 0 <= runner.message_hub.get_scalar('val/mAP_0.25').current() <= 1


@pytest.mark.parametrize('name', ['3detr-m_scannet.py', '3detr_sunrgbd.py'])
def test_weights_without_meta_data_serve_mmdet3ds_inference(name, tmp_path):
    from mmdet3d.apis import init_model
    path = FOLDER / name
    config = Config.fromfile(path)
    write_checkpoint(MODELS.build(config.model).state_dict(), tmp_path / 'weights.pth')
    model = init_model(path, str(tmp_path / 'weights.pth'), device='cpu')
    assert model.dataset_meta['classes'] == config.metainfo.classes
