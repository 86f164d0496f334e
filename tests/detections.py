"""Small 3DETR predictions and ground truth for tests."""
import torch

from m2ae_mm.models.heads.scene_extent import SceneExtent
from m2ae_mm.models.heads.three_detr_boxes import BoxPredictions
from mmdet3d.structures import DepthInstance3DBoxes

UNIT = SceneExtent(torch.zeros(1, 3), torch.ones(1, 3))


def boxes_at(*rows):
    """mmdet3d boxes from rows of gravity centre and size."""
    tensor = torch.tensor(rows, dtype=torch.float32).view(-1, 6)
    return DepthInstance3DBoxes(tensor, box_dim=6, with_yaw=False, origin=(0.5, 0.5, 0.5))


def predictions_of(boxes, logits, num_bins=1, extent=UNIT):
    """Predictions with given ``(L, B, Q, 6)`` boxes and class logits."""
    boxes, logits = torch.as_tensor(boxes).float(), torch.as_tensor(logits).float()
    angles = torch.zeros(*boxes.shape[:3], num_bins)
    return BoxPredictions(logits, boxes[..., :3], boxes[..., 3:6], extent.normalize(boxes[..., :3]),
                          boxes[..., 3:6] / extent.size.unsqueeze(1), angles, angles, angles[..., 0])
