import copy
from types import SimpleNamespace

import torch
from torch import nn

from m2ae_mm.engine.hooks import M2AEGraphsHook
from m2ae_mm.engine.recording import RowSizes
from mmdet3d.registry import MODELS


def test_a_run_has_the_steps_of_our_models_recorded_and_copies_have_their_own():
    torch.manual_seed(0)
    model = MODELS.build(dict(
        type='mmdet3d.PointM2AE',
        backbone=dict(type='mmdet3d.PointM2AEEncoder', num_centers=(16, 8), num_neighbors=(4, 4), embed_dims=(6, 12),
                      depths=(1, 1), num_heads=2, radii=None, point_hidden=(8, 8, 8)),
        neck=dict(type='mmdet3d.PointM2AEDecoder', encoder_dims=(6, 12), embed_dims=(12, ), depths=(1, ), num_heads=2),
        head=dict(type='mmdet3d.PointM2AEPretrainHead', in_channels=12, num_points=4)))
    points = torch.rand(2, 40, 3)

    def loss(model):
        torch.manual_seed(1)
        return model.eval()(dict(points=points), mode='loss')['loss_chamfer']

    expected = loss(model)
    for _ in range(2):
        M2AEGraphsHook().before_run(SimpleNamespace(model=model))
    assert torch.equal(loss(model), expected)
    copied = copy.deepcopy(model)
    assert model.masked_loss.args == (model, ) and copied.masked_loss.args == (copied, )
    assert {'masked_loss', 'pool_visible'} <= vars(model).keys()
    other = nn.Linear(1, 1)
    M2AEGraphsHook().before_run(SimpleNamespace(model=other))
    assert vars(other).keys() == vars(nn.Linear(1, 1)).keys()


def test_row_sizes_grow_with_a_margin_and_stay():
    def masks(visible):
        mask = torch.ones(4, 2048, dtype=torch.bool)
        mask.view(-1)[:visible] = False
        return [mask]

    sizes = RowSizes()
    assert sizes.fit(masks(1000)) == [1280] and sizes.grown  # 1030, rounded up to a multiple of 256
    assert sizes.fit(masks(1280)) == [1280] and not sizes.grown
    assert sizes.fit(masks(1281)) == [1536] and sizes.grown
    assert sizes.fit(masks(500)) == [1536] and not sizes.grown
    assert sizes.fit(masks(8192)) == [8192]  # there are no more
    assert RowSizes().fit(masks(500)) == [768]


def test_row_sizes_of_every_scale_fit_all_batches():
    def masks(*visible):
        return [torch.arange(2048).view(2, 1024) >= count for count in visible]

    sizes = RowSizes()
    assert sizes.fit(masks(1000, 10)) == [1280, 256]
    assert sizes.fit(masks(10, 1000)) == [1280, 1280] and sizes.grown
    assert sizes.fit(masks(1000, 1000)) == [1280, 1280] and not sizes.grown
