"""Boxes relative to other boxes (V-DETR paper, section 3)."""
from typing import NamedTuple

import torch
from torch import Tensor

_TINY = 1e-5
# Sizes in metres below which scene-normalised boxes do not shrink.
_THINNEST = 1e-3


class RelativeBoxes(NamedTuple):
    """Predicted boxes of decoder layers, float32.

    L layers, B clouds, Q queries, K classes, A angle bins.

    Attributes:
        class_logits: ``(L, B, Q, K)``, one sigmoid for each class.
        centers: ``(L, B, Q, 3)`` as predicted: relative to ``references``.
        sizes: ``(L, B, Q, 3)`` likewise.
        angle_logits: ``(L, B, Q, A)``.
        angle_residuals: ``(L, B, Q, A)`` offset from each bin's centre over half a bin.
        references: ``(L, B, Q, 6)`` centre and size in metres of the boxes that these are relative to.
        boxes: ``(L, B, Q, 7)`` gravity centre, size, yaw.
    """
    class_logits: Tensor
    centers: Tensor
    sizes: Tensor
    angle_logits: Tensor
    angle_residuals: Tensor
    references: Tensor
    boxes: Tensor


class VDETRPredictions(NamedTuple):
    """What :class:`VDETRHead` predicts for B clouds of N tokens.

    Attributes:
        xyz: ``(B, N, 3)`` tokens.
        point_logits: ``(B, N, K)`` their classes.
        picked: ``(B, Q)`` int64, the tokens whose boxes became proposals, best first.
        first: One layer of N queries and one class, "object".
        layers: The decoder layers.
    """
    xyz: Tensor
    point_logits: Tensor
    picked: Tensor
    first: RelativeBoxes
    layers: RelativeBoxes

    @property
    def boxes(self) -> Tensor:
        """``(L, B, Q, 7)`` of the decoder layers."""
        return self.layers.boxes

    @property
    def angle_logits(self) -> Tensor:
        """``(L, B, Q, A)``."""
        return self.layers.angle_logits

    @property
    def class_probabilities(self) -> Tensor:
        """``(L, B, Q, K)``, each for itself."""
        return self.layers.class_logits.sigmoid()

    @property
    def objectness(self) -> Tensor:
        """``(L, B, Q)`` probability of the most probable class."""
        return self.class_probabilities.amax(-1)


def stack_layers(layers: list[RelativeBoxes]) -> RelativeBoxes:
    """Join the boxes of single layers, ``(B, Q, .)``."""
    return RelativeBoxes(*(torch.stack(values) for values in zip(*layers)))


def decode_relative(centers: Tensor, sizes: Tensor, references: Tensor, extent: Tensor | None) -> Tensor:
    """Centre and size in metres, ``(..., 6)``.

    Args:
        centers: ``(..., 3)`` as predicted.
        sizes: ``(..., 3)`` as predicted.
        references: ``(..., 6)`` centre and size in metres.
        extent: Sides of the scenes in metres for scene-normalised boxes:
            changes of centre and size are shares of them. None for
            object-normalised boxes: the change of the centre is a share of
            the reference's size, that of the size the logarithm of a factor.
    """
    if extent is None:
        center = references[..., :3] + centers * references[..., 3:]
        return torch.cat([center, references[..., 3:] * sizes.exp()], -1)
    center = references[..., :3] + centers * extent
    return torch.cat([center, (references[..., 3:] + sizes * extent).clamp(min=_THINNEST)], -1)


def encode_relative(boxes: Tensor, references: Tensor, extent: Tensor | None) -> tuple[Tensor, Tensor]:
    """What the head has to predict for ``boxes``: the inverse of :func:`decode_relative`.

    Args:
        boxes: ``(..., 6)`` or ``(..., 7)``, centre and size first.
        references: ``(..., 6)``.
        extent: See :func:`decode_relative`.

    Returns:
        Centres and sizes, each ``(..., 3)``.
    """
    offset, size, before = boxes[..., :3] - references[..., :3], boxes[..., 3:6], references[..., 3:]
    if extent is None:
        return offset / (before + _TINY), ((size + _TINY) / (before + _TINY)).log()
    return offset / extent, (size - before) / extent
