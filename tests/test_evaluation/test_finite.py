"""Predictions that are no numbers end an evaluation."""
import pytest
import torch
from mmengine.structures import InstanceData, PixelData

from m2ae_mm.engine.hooks import M2AEFinitePredictionsHook
from m2ae_mm.evaluation import (
    M2AEAccuracy,
    M2AEIndoorMetric,
    M2AELinearProbeMetric,
    M2AEPartIoU,
    M2AEReconstructionMetric,
)
from m2ae_mm.models.heads.box_postprocess import DetectionConfig, detect
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample, PointData


def sample(**fields):
    made = Det3DDataSample()
    made.set_metainfo(dict(name='chair_7', split='train'))
    made.gt_label = 0
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def scene(scores, box=1.):
    boxes = DepthInstance3DBoxes(torch.full((len(scores), 7), box))
    return sample(pred_instances_3d=InstanceData(bboxes_3d=boxes, scores_3d=torch.tensor(scores),
                                                 labels_3d=torch.zeros(len(scores), dtype=torch.int64)))


NAN = float('nan')
BROKEN = [
    (M2AEAccuracy, sample(pred_label=torch.tensor(0), pred_score=torch.tensor([NAN, 0.5])), '1 of 2 .* pred_score'),
    (M2AEPartIoU, sample(pts_seg_logits=PointData(pts_seg_logits=torch.full((2, 3), NAN)),
                         gt_pts_seg=PointData(pts_semantic_mask=torch.zeros(3))), 'pts_seg_logits of'),
    (M2AELinearProbeMetric, sample(feature=torch.tensor([1., float('inf')])), '1 of 2 values in feature of'),
    (M2AEReconstructionMetric, sample(reconstruction_loss=NAN), 'reconstruction_loss of'),
    (M2AEIndoorMetric, scene([0.5, NAN]), '1 of 2 values in pred_instances_3d.scores_3d of'),
    (M2AEIndoorMetric, scene([0.5], NAN), '7 of 7 values in pred_instances_3d.bboxes_3d of'),
]


@pytest.mark.parametrize('kind, broken, message', BROKEN)
def test_metrics_refuse_what_is_no_number(kind, broken, message):
    metric = kind()
    metric.dataset_meta = dict(parts=dict(chair=(0, 1)), classes=('chair', ))
    with pytest.raises(ValueError, match=f"{message}.*'chair_7' are NaN or infinite"):
        metric.process({}, [broken.to_dict()])
    with pytest.raises(ValueError, match=message):
        M2AEFinitePredictionsHook().after_test_iter(None, 0, None, [scene([0.5]), broken])
    M2AEFinitePredictionsHook().after_val_iter(None, 0, None, [scene([0.5]), scene([]), sample(), PixelData()])


def test_boxes_that_are_no_numbers_reach_the_metric():
    boxes = torch.tensor([[0., 0, 0, 1, 1, 1, 0], [9, 9, 9, 1, 1, 1, 0], [NAN] * 7]).view(1, 1, 3, 7)

    class Predictions:
        class_probabilities = torch.tensor([[0.9], [NAN], [0.9]]).view(1, 1, 3, 1)
        objectness = torch.tensor([0.9, NAN, 0.9]).view(1, 1, 3)
        angle_logits = torch.zeros(1, 1, 3, 1)

    Predictions.boxes = boxes
    found = detect(Predictions, torch.zeros(1, 9, 3), DetectionConfig())[0]
    assert len(found) == 3 and found.scores_3d.isnan().sum() == 1 and found.bboxes_3d.tensor.isnan().any(1).sum() == 1
