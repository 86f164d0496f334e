"""Options and logged figures of 3DETR's head."""
import pytest
import torch
from detections import boxes_at, predictions_of
from mmengine.structures import InstanceData

from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample


def head(**options):
    return MODELS.build(dict(type='ThreeDETRHead', num_classes=2, in_channels=8, projection_channels=(), embed_dims=8,
                             num_layers=1, feedforward_channels=8, **options))


@pytest.mark.parametrize('bins,rotated', [(1, False), (12, True)])
def test_the_yaw_counts_in_matching_where_it_is_predicted(bins, rotated):
    assert head(num_angle_bins=bins).matcher.rotated is rotated


def test_published_weights_of_the_losses_are_the_defaults():
    changed = head(train_cfg=dict(loss_weights=dict(loss_giou=3.)))
    assert changed.loss_weights == dict(
        loss_sem_cls=1., loss_angle_cls=0.1, loss_angle_reg=0.5, loss_center=5., loss_size=1., loss_giou=3.)
    assert head().loss_weights == {**changed.loss_weights, 'loss_giou': 1.} and head().no_object_weight == 0.25


def test_the_logged_cardinality_is_that_of_the_last_layer():
    """The first layer finds nothing of one box, the last one three boxes."""
    nothing, something = [0., 0, 9], [9., 0, 0]
    predictions = predictions_of(torch.rand(2, 1, 3, 6) + 0.2, [[[nothing] * 3], [[something] * 3]])
    sample = Det3DDataSample()
    sample.gt_instances_3d = InstanceData(bboxes_3d=boxes_at([0, 0, 0, 1, 1, 1]), labels_3d=torch.tensor([0]))
    losses = head().loss(dict(points=torch.rand(1, 9, 3), predictions=predictions), [sample])
    assert losses['cardinality_error'] == 2
