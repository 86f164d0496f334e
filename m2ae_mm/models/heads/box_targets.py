"""Ground-truth boxes of a batch as padded tensors."""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

# Sine of a yaw below which a box counts as axis-aligned: one millimetre per metre.
_ALIGNED = 1e-3


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


def collect_targets(instances: Sequence[InstanceData], num_classes: int, device: torch.device,
                    rotated: bool) -> BoxTargets:
    """Read ``bboxes_3d`` (mmdet3d boxes) and ``labels_3d`` of every cloud.

    Boxes labelled -1 are left out: mmdet3d gives this label to classes that
    the ``metainfo`` of the data set does not name.

    Args:
        instances: Ground truth per cloud; may be empty.
        num_classes: Other labels must lie in [0, num_classes).
        device: Where the model runs.
        rotated: Whether the head predicts a yaw. If not, or for boxes made
            with ``with_yaw=False``, the yaw must be a multiple of half a turn,
            where it makes no difference.

    Raises:
        ValueError: For a label outside the range, a box that is not finite, or a yaw that would be lost.
    """
    boxes, labels = [], []
    for instance in instances:
        found = instance.bboxes_3d
        # mmdet3d stores the bottom centre.
        boxes.append(torch.cat([found.gravity_center, found.dims, found.yaw.unsqueeze(-1)], -1).float().to(device))
        labels.append(instance.labels_3d.long().to(device))
    boxes, labels = _checked(boxes, labels, num_classes)
    _check_yaw(boxes, [instance.bboxes_3d.with_yaw for instance in instances], rotated)
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


def _check_yaw(boxes: list[Tensor], turns: list[bool], rotated: bool) -> None:
    """Refuse a yaw that the head does not predict, or that flips and rotations of mmdet3d have left as it was.

    ``turns``: whether those treat the boxes of a cloud as boxes with a yaw.
    """
    doubtful = [(cloud[:, 6], with_yaw) for cloud, with_yaw in zip(boxes, turns) if not (rotated and with_yaw)]
    if not doubtful or not _turned(torch.cat([yaws for yaws, _ in doubtful])).any():
        return
    yaw, with_yaw = next((yaws[_turned(yaws)][0], with_yaw) for yaws, with_yaw in doubtful if _turned(yaws).any())
    found = f'a ground-truth box has a yaw of {float(yaw):.2f} rad'
    if rotated:
        raise ValueError(f'{found}, but its data set makes boxes without one (with_yaw=False), so steps that flip or '
                         "rotate the scene do not turn it. Set the data set's type to M2AESceneDataset, or "
                         'with_yaw=True in one of your own.')
    also = '' if with_yaw else " and the data set's type to M2AESceneDataset, so that it turns with the scene"
    raise ValueError(f'{found}, which a head with one angle bin would ignore. Set num_angle_bins of the head to 12, as '
                     f"for SUN RGB-D{also}; or train on axis-aligned hulls: dict(type='M2AEAxisAlignedBoxes') after "
                     'LoadAnnotations3D in the pipeline of the training data.')


def _turned(yaws: Tensor) -> Tensor:
    """``(N,)`` bool: which yaws matter. Multiples of half a turn do not."""
    return yaws.sin().abs() > _ALIGNED
