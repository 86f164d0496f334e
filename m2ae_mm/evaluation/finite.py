"""Predictions that are no numbers are an error, not a score."""
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from m2ae_mm.samples import sample_name

# Where predictions are: of shapes, their parts, reconstructions, and scenes.
_PLACES = (('pred_score', ), ('feature', ), ('reconstruction_loss', ), ('pts_seg_logits', 'pts_seg_logits'),
           ('pred_instances_3d', 'scores_3d'), ('pred_instances_3d', 'bboxes_3d'))


def require_finite(samples: Sequence[Any]) -> None:
    """Refuse NaN and infinite scores, features and boxes in data samples, or in their dictionaries.

    Raises:
        ValueError: Naming the first sample and what of it is not finite.
    """
    found = [(sample, place, value) for sample in samples for place in _PLACES
             if (value := _at(sample, place)) is not None]
    if not found or all(torch.stack([value.isfinite().all().cpu() for *_, value in found]).tolist()):
        return
    sample, place, value = next(each for each in found if not each[2].isfinite().all())
    raise ValueError(f'{int((~value.isfinite()).sum())} of {value.numel()} values in {".".join(place)} of '
                     f'{sample_name(sample)} are NaN or infinite, so there is nothing to score. The weights or this '
                     'sample are broken, or too large for --amp.')


def _at(sample: Any, place: Sequence[str]) -> Tensor | None:
    for key in place:
        sample = sample.get(key) if isinstance(sample, Mapping) or hasattr(sample, 'get') else None
    sample = getattr(sample, 'tensor', sample)  # boxes
    if isinstance(sample, float):
        return torch.tensor(sample)
    return sample if isinstance(sample, Tensor) and sample.is_floating_point() else None
