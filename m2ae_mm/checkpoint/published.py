"""Recognise a published checkpoint by its names and convert it."""
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor

from m2ae_mm.errors import UserError

from .point_m2ae_downstream_keys import convert_point_m2ae_classifier, convert_point_m2ae_segmentor
from .point_m2ae_keys import TWO_D_SIDE_OF_I2P, convert_i2p_mae_pretrain, convert_point_m2ae_pretrain
from .three_detr_keys import convert_three_detr
from .torch_pointcloud_keys import is_torch_pointcloud, published_names
from .vdetr_keys import LEFT_OUT_OF_VDETR, convert_vdetr


class PublishedModel(NamedTuple):
    """One kind of published checkpoint.

    Attributes:
        family: Whose it is; ``--as`` takes this name.
        title: What to call it.
        marks: Beginnings of names that all occur in it.
        config: A config of ours that loads the result.
        convert: Published state dict to ours; raises ``UserError`` on names it does not know.
        joins: Whether several tensors may become one.
        left_out: Beginnings of the names of a part that has no counterpart here, and what it is called.
    """
    family: str
    title: str
    marks: tuple[str, ...]
    config: str
    convert: Callable[[Mapping[str, Tensor]], 'OrderedDict[str, Tensor]']
    joins: bool = False
    left_out: tuple[tuple[str, ...], str] = ((), '')

    def what_is_left_out(self, state_dict: Mapping[str, Tensor]) -> str:
        """A sentence on the tensors without a counterpart, or nothing."""
        count = self.count_left_out(state_dict)
        title = self.left_out[1]
        return f' {count} tensors of its {title} were left out: there is no such model here.' if count else ''

    def count_left_out(self, state_dict: Mapping[str, Tensor]) -> int:
        """How many tensors have no counterpart."""
        return sum(name.startswith(self.left_out[0]) for name in state_dict)

    def what_is_alike(self) -> str:
        """A sentence on the other models whose files look the same, or nothing."""
        return ''.join(f' A file of {other.title}, has the same names and shapes: if this is one, give --as '
                       f'{other.family} to tools/convert_checkpoint.py, or use it with {other.config}.'
                       for other in PUBLISHED if other.marks == self.marks and other.family != self.family)


_CLASSIFICATION = ('h_encoder.', 'cls_head_finetune.')
# The first entry whose marks all occur is taken, so more specific ones come first.
PUBLISHED = [
    PublishedModel('point_m2ae', 'Point-M2AE, pre-training', ('mask_token', 'h_encoder.', 'h_decoder.', 'rec_head.'),
                   'configs/m2ae/shapenet_pretrain.py', convert_point_m2ae_pretrain),
    PublishedModel('i2p_mae', 'I2P-MAE, pre-training', ('mask_token', 'h_encoder.', 'h_decoder.', 'rec_head_3d.'),
                   'configs/i2p_mae/shapenet_pretrain.py (linear SVM: configs/i2p_mae/*_svm.py)',
                   convert_i2p_mae_pretrain, left_out=(TWO_D_SIDE_OF_I2P, '2D side, CLIP included,')),
    PublishedModel('point_m2ae', 'Point-M2AE, classification', _CLASSIFICATION, 'configs/m2ae/modelnet40_cls.py '
                   "(ScanObjectNN: scanobjectnn_*_cls.py with model.head.pooling='concat_published')",
                   convert_point_m2ae_classifier),
    PublishedModel('i2p_mae', 'I2P-MAE, classification', _CLASSIFICATION, 'configs/i2p_mae/modelnet40_cls.py '
                   '(ScanObjectNN: scanobjectnn_*_cls.py beside it)', convert_point_m2ae_classifier),
    PublishedModel('point_m2ae', 'Point-M2AE, part segmentation', ('h_encoder.', 'label_conv.'),
                   'configs/m2ae/shapenetpart_seg.py', convert_point_m2ae_segmentor),
    PublishedModel('3detr', '3DETR-m', ('pre_encoder.', 'encoder.interim_downsampling.', 'mlp_heads.'),
                   'configs/3detr/3detr-m_scannet.py (SUN RGB-D: 3detr-m_sunrgbd.py)', convert_three_detr),
    PublishedModel('3detr', '3DETR', ('pre_encoder.', 'encoder.layers.', 'mlp_heads.'),
                   'configs/3detr/3detr_scannet.py (SUN RGB-D: 3detr_sunrgbd.py)', convert_three_detr),
    PublishedModel('vdetr', "V-DETR's decoder", (
        'encoder_to_decoder_projection.', 'decoder.pointcls_heads.', 'decoder.mlp_heads.'),
        'configs/vdetr/vdetr-3detr-m_scannet.py with model.bbox_head.num_queries=1024, whose backbone then starts '
        'untrained', convert_vdetr, True, (LEFT_OUT_OF_VDETR, 'sparse backbone')),
]


def is_published(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether :func:`convert_published` knows a state dict."""
    state_dict = _with_published_names(state_dict)
    return any(_has_marks(state_dict, model.marks) for model in PUBLISHED)


def advice_for(state_dict: Mapping[str, Tensor]) -> str:
    """What to say of a state dict with some names of a published model but not all of them; nothing of others."""
    state_dict = _with_published_names(state_dict)
    counts = {model.title: sum(name.startswith(model.marks) for name in state_dict) for model in PUBLISHED}
    title = max(counts, key=counts.get)
    if not counts[title] or is_published(state_dict):
        return ''
    return (f'{counts[title]} of its {len(state_dict)} tensors have names of the published {title}, whose whole '
            'checkpoints are converted while they are loaded, or into a file by tools/convert_checkpoint.py; this one '
            'lacks parts of it.')


def recognise(state_dict: Mapping[str, Tensor], family: str | None = None) -> PublishedModel:
    """Which published model a state dict belongs to.

    Args:
        state_dict: Published names with tensors.
        family: Whose it is, where that is known: a few models have the same names and shapes.

    Raises:
        UserError: If it is none of :data:`PUBLISHED`, or none of that family.
    """
    found = [model for model in PUBLISHED if _has_marks(state_dict, model.marks)]
    if not found:
        known = '; '.join(model.title for model in PUBLISHED)
        ours = any(name.startswith('backbone.') for name in state_dict)
        raise UserError(f'this is none of the published checkpoints known here ({known}): it has {len(state_dict)} '
                        f'tensors with names like {", ".join(list(state_dict)[:3])}.'
                        f'{" They are those of this project already." if ours else ""}')
    model = next((each for each in found if family in (None, each.family)), None)
    if model is None:
        known = '; '.join(each.title for each in PUBLISHED if each.family == family)
        raise UserError(f'this is {found[0].title}, as its names tell, not what --as {family} stands for ({known}). '
                        f'Leave out --as, or give --as {found[0].family}.')
    return model


def _with_published_names(state_dict: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return published_names(state_dict) if is_torch_pointcloud(state_dict) else state_dict


def _has_marks(state_dict: Mapping[str, Tensor], marks: tuple[str, ...]) -> bool:
    return all(any(name.startswith(mark) for name in state_dict) for mark in marks)


def convert_published(state_dict: Mapping[str, Tensor], family: str | None = None
                      ) -> tuple[PublishedModel, 'OrderedDict[str, Tensor]']:
    """Recognise and convert; arguments as of :func:`recognise`.

    Weights of torch-pointcloud, which names the same models otherwise, are converted, too. Every tensor given is in the
    result but for what :meth:`PublishedModel.what_is_left_out` tells, or it raises ``UserError``.
    """
    foreign, state_dict = state_dict, _with_published_names(state_dict)
    model = recognise(state_dict, family)
    if foreign is not state_dict:
        model = model._replace(title=f'{model.title}, as torch-pointcloud has it')
    converted = model.convert(state_dict)
    expected = len(state_dict) - model.count_left_out(state_dict)
    if len(converted) != expected and not model.joins:
        raise UserError(f'{expected} tensors of {model.title} became {len(converted)}: two names were mapped '
                        'to one. This checkpoint differs from the published ones.')
    return model, converted
