"""The V-DETR configs: sizes, learning rates, and a run on a tiny data set laid out like the real one."""
import math

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS
from runs import CONFIGS
from test_three_detr_configs import train_and_score

from mmdet3d.registry import MODELS

FOLDER = CONFIGS.parent / 'vdetr'
TINY_HEAD = {
    'model.bbox_head.in_channels': 32, 'model.bbox_head.embed_dims': 32, 'model.bbox_head.num_queries': 16,
    'model.bbox_head.num_layers': 2, 'model.bbox_head.rpe_channels': 8,
}
TINY_M2AE = {
    'model.backbone.num_centers': [48, 24, 8], 'model.backbone.num_neighbors': [8, 4, 4],
    'model.backbone.embed_dims': [12, 24, 48], 'model.backbone.depths': [1, 1, 1],
    'model.neck.encoder_dims': [12, 24, 48], 'model.neck.out_channels': [32, 32],
}
TINY_MASKED = {
    'model.backbone.num_points': 64, 'model.backbone.num_samples': 8, 'model.backbone.mlp_channels': (16, ),
    'model.backbone.embed_dims': 32, 'model.backbone.interim.num_points': 32,
    'model.backbone.interim.mlp_channels': (16, ),
}


def test_as_many_parameters_in_the_decoder_as_published():
    head = MODELS.build(Config.fromfile(FOLDER / 'vdetr-m2ae_scannet.py').model.bbox_head)
    assert sum(p.numel() for p in head.parameters()) / 1e6 == pytest.approx(11.69, abs=0.005)


def test_the_rate_is_the_published_one():
    """Nine epochs up from 1e-6, then a cosine that counts from the first epoch."""
    config = Config.fromfile(FOLDER / 'vdetr-3detr-m_scannet.py')
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], config.optim_wrapper.optimizer.lr)
    per_epoch = 4
    schedulers = []
    for options in config.param_scheduler:
        options = dict(options)
        build = PARAM_SCHEDULERS.get(options.pop('type')).build_iter_from_epoch
        schedulers.append(build(optimizer=optimizer, epoch_length=per_epoch,
                                **{key: value for key, value in options.items() if key != 'convert_to_iter_based'}))
    for step in range(540 * per_epoch - 1):
        rate, epoch = optimizer.param_groups[0]['lr'], step / per_epoch
        if epoch < 8.5:
            expected = 1e-6 + (7e-4 - 1e-6) * epoch / (9 - 1 / per_epoch)
        else:
            expected = 1e-6 + (7e-4 - 1e-6) * (1 + math.cos(math.pi * epoch / 540)) / 2
        assert rate == pytest.approx(expected, rel=5e-3) or 8.5 <= epoch < 9, epoch
        for scheduler in schedulers:
            scheduler.step()


@pytest.mark.parametrize('name, prefix, columns, options', [
    ('vdetr-3detr-m_scannet.py', 'scannet', 6, TINY_MASKED), ('vdetr-m2ae_sunrgbd.py', 'sunrgbd', 7, TINY_M2AE)])
def test_trains_and_evaluates(tmp_path, name, prefix, columns, options):
    train_and_score(tmp_path, f'vdetr/{name}', prefix, columns, {**TINY_HEAD, **options})
