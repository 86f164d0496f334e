"""Ways to pre-train the encoder of a detector of rooms, each a change of one thing."""
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2ae_mm.cli.bench.room_runs import Schedule
from m2ae_mm.models.heads.point_m2ae_pretrain_head import PointM2AEPretrainHead, Reconstruction
from m2ae_mm.ops import gather, knn
from mmdet3d.registry import MODELS

from .detection import PRETRAINING

_NORMAL_WEIGHT = 0.1  # against Chamfer distances of about 0.1 m²
_NORMAL_POINTS = 16


@MODELS.register_module()
class NormalsPretrainHead(PointM2AEPretrainHead):
    """Predicts the normal of the surface at each masked centre, too."""

    def __init__(self, in_channels: int, **options: Any) -> None:
        super().__init__(in_channels, **options)
        self.predict_normal = nn.Linear(in_channels, 3)

    def forward(self, decoded: Tensor, points: Tensor, scales: Sequence, masked: Sequence[Tensor]) -> Reconstruction:
        centers = scales[-1].centers
        found = normals(centers, points[..., :3])
        self.error = 1 - F.cosine_similarity(self.predict_normal(decoded).float(), found, -1)**2
        return super().forward(decoded, points, scales, masked)

    def loss(self, reconstruction: Reconstruction) -> dict[str, Tensor]:
        return dict(super().loss(reconstruction), loss_normal=_NORMAL_WEIGHT * self.error[reconstruction.masked].mean())


def normals(centers: Tensor, points: Tensor) -> Tensor:
    """``(B, M, 3)`` unit normals, of either sign, of planes fitted to the points ``(B, N, 3)`` nearest the centres."""
    groups = gather(points, knn(centers, points, _NORMAL_POINTS))
    offsets = groups - groups.mean(2, keepdim=True)
    return torch.linalg.eigh(offsets.transpose(-1, -2) @ offsets)[1][..., 0]


class Start(NamedTuple):
    """What a detector starts from.

    Attributes:
        about: In words.
        encoder: Name of the pre-trained encoder; None for random weights.
        pretraining: Changes of the pre-training's config.
        schedule: Of the pre-training.
        encoder_lr: Factor of the encoder's learning rate in the detector's training.
        detector: Changes of the detector's config.
    """
    about: str
    encoder: str | None = None
    pretraining: dict[str, Any] = {}
    schedule: Schedule = Schedule(steps=800)
    encoder_lr: float = 0.2
    detector: dict[str, Any] = {}


# What the stage `detection` of the playbook pre-trained on a GPU.
CURVE = dict(
    scratch=Start('from scratch', encoder_lr=1.),
    pretrained_slow=Start('encoder pre-trained on rooms', 'detection_encoder', schedule=PRETRAINING))
_WIDE = {'model.backbone.num_neighbors': [32, 16, 8]}
CAUSES = dict(
    scratch=Start('random weights', encoder_lr=1.),
    base=Start('`rooms_pretrain.py`: 80 % masked, 800 steps', 'base'),
    scratch_slow=Start('random weights, a fifth of the learning rate'),
    mask_60=Start('60 % masked', 'mask_60', {'model.mask_ratio': 0.6}),
    mask_90=Start('90 % masked', 'mask_90', {'model.mask_ratio': 0.9}),
    # One more stage of the decoder: what is reconstructed are 16 points around centres of the finest scale.
    points=Start('reconstructs the cloud, not the finest centres', 'points', {
        'model.neck.embed_dims': [128, 64, 32], 'model.neck.depths': [1, 1, 1], 'model.head.in_channels': 32}),
    normals=Start('reconstructs normals, too', 'normals', {'model.head.type': 'NormalsPretrainHead'}),
    coarse=Start('half as many centres in pre-training', 'coarse', {'model.backbone.num_centers': [192, 96, 24]}),
    long=Start('2,400 steps', 'long', schedule=Schedule(steps=2400)),
    wide_scratch=Start('groups of 32, 16, 8; random weights', encoder_lr=1., detector=_WIDE),
    wide=Start('groups of 32, 16, 8', 'wide', _WIDE, detector=_WIDE),
    base_fast=Start('as `rooms_pretrain.py`, the full learning rate', 'base', encoder_lr=1.),
    base_frozen=Start('as `rooms_pretrain.py`, frozen', 'base', encoder_lr=0.),
    scratch_frozen=Start('random weights, frozen', encoder_lr=0.),
)
