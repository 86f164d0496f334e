"""Recognise a published checkpoint by its names and convert it."""
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor

from .point_m2ae_downstream_keys import convert_point_m2ae_classifier, convert_point_m2ae_segmentor
from .point_m2ae_keys import convert_point_m2ae_pretrain
from .three_detr_keys import convert_three_detr
from .vdetr_keys import LEFT_OUT_OF_VDETR, convert_vdetr


class PublishedModel(NamedTuple):
    """One kind of published checkpoint.

    Attributes:
        title: What to call it.
        marks: Beginnings of names that all occur in it.
        config: A config of ours that loads the result.
        convert: Published state dict to ours; raises ``ValueError`` on names it does not know.
        joins: Whether several tensors may become one.
        left_out: Beginnings of the names of a part that has no counterpart here, and what it is called.
    """
    title: str
    marks: tuple[str, ...]
    config: str
    convert: Callable[[Mapping[str, Tensor]], 'OrderedDict[str, Tensor]']
    joins: bool = False
    left_out: tuple[tuple[str, ...], str] = ((), '')

    def what_is_left_out(self, state_dict: Mapping[str, Tensor]) -> str:
        """A sentence on the tensors without a counterpart, or nothing."""
        beginnings, title = self.left_out
        count = sum(name.startswith(beginnings) for name in state_dict)
        return f' {count} tensors of its {title} were left out: there is no such model here.' if count else ''


# The first entry whose marks all occur is taken, so more specific ones come first.
PUBLISHED = [
    PublishedModel('Point-M2AE, pre-training', ('mask_token', 'h_encoder.', 'h_decoder.', 'rec_head.'),
                   'configs/m2ae/shapenet_pretrain.py', convert_point_m2ae_pretrain),
    PublishedModel('Point-M2AE, classification', ('h_encoder.', 'cls_head_finetune.'), 'configs/m2ae/modelnet40_cls.py '
                   "(ScanObjectNN: scanobjectnn_*_cls.py with model.head.pooling='concat_published')",
                   convert_point_m2ae_classifier),
    PublishedModel('Point-M2AE, part segmentation', ('h_encoder.', 'label_conv.'), 'configs/m2ae/shapenetpart_seg.py',
                   convert_point_m2ae_segmentor),
    PublishedModel('3DETR-m', ('pre_encoder.', 'encoder.interim_downsampling.', 'mlp_heads.'),
                   'configs/3detr/3detr-m_scannet.py (SUN RGB-D: 3detr-m_sunrgbd.py)', convert_three_detr),
    PublishedModel('3DETR', ('pre_encoder.', 'encoder.layers.', 'mlp_heads.'),
                   'configs/3detr/3detr_scannet.py (SUN RGB-D: 3detr_sunrgbd.py)', convert_three_detr),
    PublishedModel("V-DETR's decoder", ('encoder_to_decoder_projection.', 'decoder.pointcls_heads.',
                                        'decoder.mlp_heads.'), 'configs/vdetr/vdetr-3detr-m_scannet.py with '
                   'model.bbox_head.num_queries=1024, whose backbone then starts untrained', convert_vdetr, True,
                   (LEFT_OUT_OF_VDETR, 'sparse backbone')),
]


def is_published(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether :func:`recognise` knows a state dict."""
    return any(_has_marks(state_dict, model.marks) for model in PUBLISHED)


def advice_for(state_dict: Mapping[str, Tensor]) -> str:
    """What to say of a state dict with some names of a published model but not all of them; nothing of others."""
    counts = {model.title: sum(name.startswith(model.marks) for name in state_dict) for model in PUBLISHED}
    title = max(counts, key=counts.get)
    if not counts[title] or is_published(state_dict):
        return ''
    return (f'{counts[title]} of its {len(state_dict)} tensors have names of the published {title}, whose whole '
            'checkpoints are converted while they are loaded, or into a file by tools/convert_checkpoint.py; this one '
            'lacks parts of it.')


def recognise(state_dict: Mapping[str, Tensor]) -> PublishedModel:
    """Which published model a state dict belongs to.

    Raises:
        ValueError: If it is none of :data:`PUBLISHED`.
    """
    for model in PUBLISHED:
        if _has_marks(state_dict, model.marks):
            return model
    known = '; '.join(model.title for model in PUBLISHED)
    ours = any(name.startswith('backbone.') for name in state_dict)
    raise ValueError(f'this is none of the published checkpoints known here ({known}): it has {len(state_dict)} '
                     f'tensors with names like {", ".join(list(state_dict)[:3])}.'
                     f'{" They are those of this project already." if ours else ""}')


def _has_marks(state_dict: Mapping[str, Tensor], marks: tuple[str, ...]) -> bool:
    return all(any(name.startswith(mark) for name in state_dict) for mark in marks)


def convert_published(state_dict: Mapping[str, Tensor]) -> tuple[PublishedModel, 'OrderedDict[str, Tensor]']:
    """Recognise and convert.

    Every tensor given is in the result but for what :meth:`PublishedModel.what_is_left_out` tells, or it raises
    ``ValueError``.
    """
    model = recognise(state_dict)
    converted = model.convert(state_dict)
    if len(converted) != len(state_dict) and not model.joins:
        raise ValueError(f'{len(state_dict)} tensors of {model.title} became {len(converted)}: two names were mapped '
                         'to one. This checkpoint differs from the published ones.')
    return model, converted
