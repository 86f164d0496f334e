"""Gradients accumulated over half batches (mmengine's ``accumulative_counts``)."""
import pytest
import torch
from mmengine.optim import OptimWrapper

from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample

CONFIG = dict(
    type='PointM2AE',
    backbone=dict(
        type='PointM2AEEncoder', num_centers=(32, 8), num_neighbors=(8, 4), embed_dims=(12, 24), depths=(1, 1),
        num_heads=3, radii=None, point_hidden=(8, 16, 16)),
    neck=dict(type='PointM2AEDecoder', encoder_dims=(12, 24), embed_dims=(24, ), depths=(1, ), num_heads=3),
    head=dict(type='PointM2AEPretrainHead', in_channels=24, num_points=8),
    mask_ratio=0.75)


def states(clouds, batch_size, accumulative_counts):
    """Weights at the start and after every batch, of a model whose norms keep their running statistics."""
    torch.manual_seed(0)
    model = MODELS.build(CONFIG).eval()
    masks = model.make_masks(model.backbone.build_scales(clouds), torch.Generator().manual_seed(0))
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1), accumulative_counts=accumulative_counts,
                             clip_grad=dict(max_norm=0.5))
    result = [torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()]
    for start in range(0, len(clouds), batch_size):
        rows = slice(start, start + batch_size)
        # The loss is a mean over masked groups; here every cloud has equally many.
        model.make_masks = lambda scales, rows=rows: [mask[rows] for mask in masks]
        samples = [Det3DDataSample() for _ in clouds[rows]]
        model.train_step(dict(inputs=dict(points=list(clouds[rows])), data_samples=samples), optimizer)
        result.append(torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone())
    return result


def test_two_half_batches_make_the_step_of_the_whole():
    clouds = torch.rand(4, 128, 3, generator=torch.Generator().manual_seed(0))
    start, whole = states(clouds, 4, accumulative_counts=1)
    _, first, second = states(clouds, 2, accumulative_counts=2)
    assert torch.equal(first, start)
    # Clipped once, to 0.5: the learning rate makes that a step of 0.05.
    assert (whole - start).norm().item() == pytest.approx(0.05, rel=1e-3)
    torch.testing.assert_close(second - start, whole - start, rtol=1e-4, atol=1e-6)
