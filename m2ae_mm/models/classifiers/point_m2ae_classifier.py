"""Shape classification with the pre-trained encoder (paper section 4.2)."""
import torch
from mmengine.model import BaseModel
from torch import Tensor

from m2ae_mm.samples import sample_label, sample_name
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample

from ..backbones import PointM2AEEncoder
from ..data_preprocessors import stack_clouds


@MODELS.register_module()
class PointM2AEClassifier(BaseModel):
    """Encoder and classification head.

    Args:
        backbone: Config of the encoder.
        head: Config of the classification head.
        votes: Passes over randomly sampled, scaled and shifted copies of each
            test cloud (``vote_transforms`` of the data preprocessor) whose
            mean logits become ``vote_label``, beside the plain ``pred_label``. 0
            switches voting off.
        data_preprocessor: ``M2AEShapePreprocessor`` by default.
        init_cfg: mmengine's initialisation option.

    Raises:
        ValueError: For votes without ``vote_transforms``, which would all be the same; for pooling by a class token
            that the encoder does not have.
    """

    def __init__(self,
                 backbone: dict,
                 head: dict,
                 votes: int = 0,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(MODELS.build(data_preprocessor or dict(type='M2AEShapePreprocessor')), init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)
        if votes and not self.data_preprocessor.vote_transforms:
            raise ValueError(f'votes={votes} needs data_preprocessor.vote_transforms: without them all votes are the '
                             'plain prediction. See configs/m2ae/modelnet40_cls.py.')
        if getattr(self.head, 'pooling', None) == 'class_token' and type(self.backbone) is PointM2AEEncoder:
            raise ValueError("pooling='class_token' needs an encoder with a class token, PointM2AEEncoder has none: "
                             'set model.backbone.type=PointM2AEClassTokenEncoder.')
        self.votes = votes

    def forward(self, inputs: dict, data_samples: list[Det3DDataSample] | None = None, mode: str = 'tensor'):
        """Entry point of mmengine.

        Args:
            inputs: ``points``: list of B clouds ``(N, 3 + C)``, or a tensor.
            data_samples: With ``gt_label`` for ``'loss'``; receive the
                prediction in mode ``'predict'``.
            mode: ``'loss'``, ``'tensor'`` for logits ``(B, classes)``, or
                ``'predict'`` for ``pred_score`` (classes,) and ``pred_label``.

        Raises:
            ValueError: For a label that the head has no class for, and for
                ``'loss'`` for a sample without a label.
        """
        logits = self.classify(stack_clouds(inputs['points'], data_samples))
        if mode == 'tensor':
            return logits
        if mode == 'loss':
            return self.head.loss(logits, gather_labels(data_samples, logits.shape[1], logits.device))
        if mode == 'predict':
            # Whoever scores the prediction would count it as wrong.
            _check_labels([sample for sample in data_samples if 'gt_label' in sample], logits.shape[1])
            for sample, score in zip(data_samples, logits.float().softmax(1)):
                sample.pred_score, sample.pred_label = score, score.argmax()
            return data_samples
        raise ValueError(f"mode must be 'loss', 'tensor' or 'predict', got {mode!r}.")

    def classify(self, points: Tensor) -> Tensor:
        """``(B, N, 3 + C)`` to ``(B, classes)`` logits."""
        return self.head(self.backbone.encode(points, self.backbone.build_scales(points))[-1])

    def test_step(self, data: dict) -> list[Det3DDataSample]:
        """Predict a collated batch; with votes, each sample also receives ``vote_label``."""
        samples = super().test_step(data)
        if not self.votes:
            return samples
        stacked = self.data_preprocessor.stack(data)
        transforms = self.data_preprocessor.vote_transforms
        logits = sum(self.classify(self.data_preprocessor.transform(stacked, transforms)).float()
                     for _ in range(self.votes))
        for sample, label in zip(samples, logits.argmax(1)):
            sample.vote_label = label
        return samples


def gather_labels(data_samples: list[Det3DDataSample], num_classes: int, device: torch.device) -> Tensor:
    """``(B,)`` int64 class labels.

    Raises:
        ValueError: For a sample without a label, or one the head has no class for.
    """
    # In page-locked memory: a copy from any other memory may wait for all work that the GPU has queued.
    labels = torch.tensor(_check_labels(data_samples, num_classes), pin_memory=device.type == 'cuda')
    return labels.to(device, non_blocking=True)


def _check_labels(data_samples: list[Det3DDataSample], num_classes: int) -> list[int]:
    labels = [sample_label(sample) for sample in data_samples]
    for sample, label in zip(data_samples, labels):
        if label >= num_classes:
            raise ValueError(f'label {label} does not fit num_classes={num_classes} of the head '
                             f'({sample_name(sample)}). Set model.head.num_classes to the classes of the data.')
    return labels
