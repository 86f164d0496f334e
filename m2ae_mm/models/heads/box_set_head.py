"""What 3DETR's and V-DETR's heads have in common."""
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmdet3d.structures import Det3DDataSample

from ..layers.token_layers import TokenLayer
from .box_postprocess import DetectionConfig, detect
from .box_targets import BoxTargets, collect_targets


class BoxSetHead(BaseModule):
    """A head that predicts a set of boxes from tokens and matches them with the ground truth.

    Subclasses set ``matcher``, whose ``rotated`` says whether boxes have a yaw.

    :class:`ThreeDETR` calls :meth:`forward` together with the backbone, through
    CUDA graphs where that is possible, and hands on what it returns. So nothing
    in it may be read back from the device, and it returns tensors in named
    tuples only.

    Args:
        num_classes: Object classes K, without "no object".
        in_channels: Channels of the backbone's ``fp_features[-1]``.
        detection: Options of prediction.
        init_cfg: mmengine's initialisation option.
    """

    def __init__(self, num_classes: int, in_channels: int, detection: DetectionConfig, init_cfg: dict | None) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.detection = detection

    def forward(self, feats: dict) -> Any:
        """Predict the boxes of all decoder layers.

        Args:
            feats: ``fp_xyz`` and ``fp_features``, lists whose last entries
                ``(B, M, 3)`` and ``(B, in_channels, M)`` are the tokens, and
                ``points`` ``(B, N, 3)``, the clouds. :class:`ThreeDETR` adds
                the last to what the backbone returns.
        """
        raise NotImplementedError

    def compute_losses(self, predictions: Any, targets: BoxTargets, points: Tensor) -> dict[str, Tensor]:
        """Weighted losses of what :meth:`forward` has returned; the last layer's without a prefix."""
        raise NotImplementedError

    def class_layers(self) -> list[nn.Module]:
        """Layers with one output per class, in the order of the labels; empty if they have another order."""
        return []

    def tokens(self, feats: dict) -> tuple[Tensor, Tensor]:
        """Positions ``(B, M, 3)`` and features ``(B, M, in_channels)`` of the tokens."""
        xyz, features = feats['fp_xyz'][-1], feats['fp_features'][-1]
        if features.shape[1] != self.in_channels:
            raise ValueError(f'{type(self).__name__}(in_channels={self.in_channels}) got features of shape '
                             f'{tuple(features.shape)} (B, C, M); set in_channels to {features.shape[1]}.')
        return xyz, features.transpose(1, 2)

    def loss(self, feats: dict, batch_data_samples: Sequence[Det3DDataSample]) -> dict[str, Tensor]:
        """Losses of all decoder layers.

        Args:
            feats: See :meth:`forward`; or ``points`` and what it has returned for them as ``predictions``.
            batch_data_samples: With ``gt_instances_3d``.

        Returns:
            See :meth:`compute_losses`.
        """
        points = feats['points']
        predictions = self._predictions(feats)
        instances = [sample.gt_instances_3d for sample in batch_data_samples]
        # Matching and losses in float32 whatever the network ran in.
        with torch.autocast(points.device.type, enabled=False):
            targets = collect_targets(instances, self.num_classes, points.device, self.matcher.rotated)
            return self.compute_losses(predictions, targets, points)

    def predict(self, feats: dict, batch_data_samples: Sequence[Det3DDataSample]) -> list[InstanceData]:
        """Detections per cloud: ``bboxes_3d``, ``scores_3d``, ``labels_3d``."""
        points = feats['points']
        predictions = self._predictions(feats)
        if len(batch_data_samples) != len(points):
            raise ValueError(f'{len(batch_data_samples)} data samples do not fit {len(points)} clouds.')
        with torch.autocast(points.device.type, enabled=False):
            return detect(predictions, points, self.detection)

    def _predictions(self, feats: dict) -> Any:
        """The predictions that the detector has added, or those of :meth:`forward`."""
        return feats['predictions'] if 'predictions' in feats else self(feats)


def box_mlp(dims: int, out_channels: int, dropout: float) -> nn.Sequential:
    """Two hidden layers and a linear output."""
    hidden = [TokenLayer(dims, dims, dropout=dropout) for _ in range(2)]
    return nn.Sequential(*hidden, nn.Linear(dims, out_channels))


def by_layer(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``(L,)`` per name to one entry per layer: the last under its name, layer i as ``d{i}.{name}``."""
    result = {name: values[-1] for name, values in losses.items()}
    for name, values in losses.items():
        result.update({f'd{i}.{name}': value for i, value in enumerate(values[:-1])})
    return result


def changed_weights(published: Mapping[str, float], changes: Mapping[str, float] | None) -> dict[str, float]:
    """The default weights of the losses, changed by those of a config.

    Raises:
        ValueError: For a name that is not among them.
    """
    unknown = set(changes or {}) - set(published)
    if unknown:
        raise ValueError(f'unknown losses {sorted(unknown)} in loss_weights; known are {sorted(published)}.')
    return {**published, **(changes or {})}
