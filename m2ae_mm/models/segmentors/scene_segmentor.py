"""Semantic segmentation of scenes with mmdet3d's segmentor: every point is labelled, in blocks or in one pass."""
import math

import torch
from torch import Tensor

from m2ae_mm.ops import interpolate
from m2ae_mm.samples import sample_name
from mmdet3d.models.segmentors import EncoderDecoder3D
from mmdet3d.registry import MODELS

_OF_BLOCKS = ('num_points', 'block_size', 'sample_rate', 'use_normalized_coord', 'batch_size')


@MODELS.register_module()
class M2AESceneSegmentor(EncoderDecoder3D):
    """mmdet3d's ``EncoderDecoder3D``, with reproducible results, for scenes of any size.

    Encoders, necks and decode heads of both projects serve, and all options
    are those of the base. ``test_cfg`` says how whole scenes are tested:

    - ``mode='whole'``: in one pass. The encoder sees ``num_points`` points of
      the scene, always the same; the scores of the three nearest of them are
      interpolated at all others. Without ``num_points`` it sees all.
    - ``mode='slide'``: in overlapping blocks as in mmdet3d (``block_size``,
      ``sample_rate``, ``num_points``, ``use_normalized_coord``,
      ``batch_size``). The scores of blocks that share a point are averaged.

    Raises:
        ValueError: For another ``test_cfg``.
    """

    def __init__(self, *args, test_cfg: dict | None = None, **kwargs) -> None:
        super().__init__(*args, test_cfg=test_cfg, **kwargs)
        mode = (test_cfg or {}).get('mode')
        lacking = [name for name in _OF_BLOCKS if mode == 'slide' and test_cfg.get(name) is None]
        if mode not in ('whole', 'slide') or lacking:
            what = f'lacks {", ".join(lacking)}' if lacking else f'has mode={mode!r}'
            raise ValueError(f"model.test_cfg {what}. Set mode='whole', or mode='slide' with {', '.join(_OF_BLOCKS)}.")

    def loss(self, batch_inputs_dict: dict, batch_data_samples: list) -> dict[str, Tensor]:
        """See mmdet3d.

        Raises:
            ValueError: If clouds of the batch differ in size, or a cloud has not as many labels as points.
        """
        _check_sizes(batch_inputs_dict['points'], batch_data_samples)
        return super().loss(batch_inputs_dict, batch_data_samples)

    def whole_inference(self, points: Tensor, batch_input_metas: list[dict], rescale: bool) -> Tensor:
        """``(B, N, 3 + C)`` points to ``(B, num_classes, N)`` logits."""
        count, total = self.test_cfg.get('num_points'), points.shape[1]
        if not count or total <= count:
            return self.encode_decode(points, batch_input_metas)
        chosen = torch.randperm(total, generator=_generator())[:count].to(points.device)
        seen = points[:, chosen]
        logits = self.encode_decode(seen, batch_input_metas)
        return interpolate(points[..., :3], seen[..., :3], logits.transpose(1, 2)).transpose(1, 2)

    def _sliding_patch_generation(self, points: Tensor, num_points: int, block_size: float, sample_rate: float = 0.5,
                                  use_normalized_coord: bool = False, eps: float = 1e-3) -> tuple[Tensor, Tensor]:
        """As mmdet3d's method of this name, but reproducible, and for scenes smaller than a block as well.

        Args:
            points: ``(N, 3 + C)``.
            num_points: Points per block; a block with more is split.
            block_size: Side in metres.
            sample_rate: Step from block to block over their side.
            use_normalized_coord: Append x y z over the largest of the scene.
            eps: Metres by which blocks reach over their borders.

        Returns:
            ``(K * num_points, 3 + C')`` points of all blocks, and their positions in the scene.
        """
        xyz, generator = points[:, :3], _generator()
        low, high = xyz.amin(0).tolist(), xyz.amax(0).tolist()
        clouds, chosen = [], []
        for y in _starts(low[1], high[1], block_size, sample_rate):
            for x in _starts(low[0], high[0], block_size, sample_rate):
                start = xyz.new_tensor([x, y])
                inside = ((xyz[:, :2] >= start - eps) & (xyz[:, :2] <= start + block_size + eps)).all(1)
                members = inside.nonzero().squeeze(1)
                if not len(members):
                    continue
                members = members[_filled_up(len(members), num_points, generator).to(members.device)]
                clouds.append(self._input_generation(xyz[members], start + block_size / 2, xyz.amax(0),
                                                     points[members, 3:], use_normalized_coord))
                chosen.append(members)
        return torch.cat(clouds), torch.cat(chosen)


def _starts(low: float, high: float, size: float, rate: float) -> list[float]:
    """Where blocks begin along an axis: the last one ends where the scene does."""
    count = max(math.ceil((high - low - size) / (size * rate)), 0) + 1
    return [min(low + i * size * rate + size, high) - size for i in range(count)]


def _filled_up(available: int, size: int, generator: torch.Generator) -> Tensor:
    """Positions of all members in random order, some of them repeated up to a multiple of ``size``."""
    missing = -available % size
    if missing > available:
        repeated = torch.randint(available, (missing, ), generator=generator)
    else:
        repeated = torch.randperm(available, generator=generator)[:missing]
    everything = torch.cat([torch.arange(available), repeated])
    return everything[torch.randperm(len(everything), generator=generator)]


def _generator() -> torch.Generator:
    """With a fixed seed: the same points of a scene every time."""
    return torch.Generator().manual_seed(0)


def _check_sizes(clouds: list[Tensor], samples: list) -> None:
    labels = [len(sample.gt_pts_seg.pts_semantic_mask)
              if 'gt_pts_seg' in sample and 'pts_semantic_mask' in sample.gt_pts_seg else None for sample in samples]
    for cloud, count, sample in zip(clouds, labels, samples):
        if count != len(cloud):
            found = 'no labels' if count is None else f'{count} labels'
            raise ValueError(f'{sample_name(sample)} has {len(cloud)} points and {found}. Load the masks '
                             '(LoadAnnotations3D with with_seg_3d=True), pack pts_semantic_mask, and use no step that '
                             'drops points without their labels.')
    sizes = sorted({len(cloud) for cloud in clouds})
    if len(sizes) > 1:
        raise ValueError(f'scenes of one batch need equally many points, got {sizes}. Put PointSample, '
                         'M2AESamplePoints or IndoorPatchPointSample into the training pipeline.')
