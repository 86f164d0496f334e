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

    Boxes labelled -1 are left out: so mmdet3d marks those of classes that
    the ``metainfo`` of the data set does not name.

    Args:
        instances: Ground truth per cloud; may be empty.
        num_classes: Other labels must lie in [0, num_classes).
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
    boxes, labels = _checked(boxes, labels, num_classes)
    counts = [len(box) for box in boxes]
    # Padding is a unit box, harmless in every cost and loss.
    filler = torch.tensor([[0., 0, 0, 1, 1, 1, 0]], device=device)
    if max(counts) == 0:
        boxes[0], labels[0] = filler, labels[0].new_zeros(1)
    padded = pad_sequence(boxes, batch_first=True)
    is_padding = torch.arange(padded.shape[1], device=device) >= torch.tensor(counts, device=device).unsqueeze(1)
    padded = torch.where(is_padding.unsqueeze(-1), filler, padded)
    return BoxTargets(padded, pad_sequence(labels, batch_first=True), counts)


def _checked(boxes: list[Tensor], labels: list[Tensor], num_classes: int) -> tuple[list[Tensor], list[Tensor]]:
    everything = torch.cat(labels)
    outside = everything[(everything < 0) | (everything >= num_classes)]
    if len(outside):
        wrong = outside[outside != -1]
        if len(wrong):
            raise ValueError(f'ground-truth label {int(wrong[0])} is outside [0, {num_classes}); num_classes of the '
                             'head must equal the number of classes of the data set.')
        kept = [label >= 0 for label in labels]
        boxes, labels = ([each[mask] for each, mask in zip(values, kept)] for values in (boxes, labels))
    if not torch.isfinite(torch.cat(boxes)).all():
        raise ValueError('a ground-truth box holds NaN or infinite values; check the annotation file.')
    return boxes, labels
