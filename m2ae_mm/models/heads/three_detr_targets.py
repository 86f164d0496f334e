"""Ground-truth boxes of a batch as padded tensors."""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


class BoxTargets(NamedTuple):
    """Ground truth, padded to the largest count G (at least 1) of the batch.

    Attributes:
        boxes: ``(B, G, 7)`` float32 gravity centre, size (metres), yaw (radians).
        labels: ``(B, G)`` int64.
        counts: True boxes of each cloud; further rows are padding.
    """
    boxes: Tensor
    labels: Tensor
    counts: list[int]


def collect_targets(instances: Sequence[InstanceData], num_classes: int, device: torch.device) -> BoxTargets:
    """Read ``bboxes_3d`` (mmdet3d boxes) and ``labels_3d`` of every cloud.

    Args:
        instances: Ground truth per cloud; may be empty.
        num_classes: Labels must lie in [0, num_classes).
        device: Where the model runs.

    Raises:
        ValueError: For a label outside the range or a box that is not finite.
    """
    boxes, labels = [], []
    for instance in instances:
        found = instance.bboxes_3d
        # mmdet3d stores the bottom centre.
        boxes.append(torch.cat([found.gravity_center, found.dims, found.yaw.unsqueeze(-1)], -1).float().to(device))
        labels.append(instance.labels_3d.long().to(device))
    counts = [len(box) for box in boxes]
    _check(boxes, labels, num_classes)
    # Padding is a unit box, harmless in every cost and loss.
    filler = torch.tensor([[0., 0, 0, 1, 1, 1, 0]], device=device)
    if max(counts) == 0:
        boxes[0], labels[0] = filler, labels[0].new_zeros(1)
    padded = pad_sequence(boxes, batch_first=True)
    is_padding = torch.arange(padded.shape[1], device=device) >= torch.tensor(counts, device=device).unsqueeze(1)
    padded = torch.where(is_padding.unsqueeze(-1), filler, padded)
    return BoxTargets(padded, pad_sequence(labels, batch_first=True), counts)


def _check(boxes: Sequence[Tensor], labels: Sequence[Tensor], num_classes: int) -> None:
    everything = torch.cat(list(labels))
    wrong = everything[(everything < 0) | (everything >= num_classes)]
    if len(wrong):
        raise ValueError(f'ground-truth label {int(wrong[0])} is outside [0, {num_classes}); num_classes of the head '
                         'must equal the number of classes of the data set.')
    if not torch.isfinite(torch.cat(list(boxes))).all():
        raise ValueError('a ground-truth box holds NaN or infinite values; check the annotation file.')
