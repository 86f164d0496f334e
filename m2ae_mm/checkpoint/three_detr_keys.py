"""Names of the published 3DETR checkpoints, translated to ours."""
import re
from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor

from m2ae_mm.errors import UserError

TENSOR = r'(weight|bias|running_mean|running_var|num_batches_tracked)'
_POINT_LAYER = r'mlp_module\.layer(\d)\.(conv|bn\.bn)\.' + TENSOR
# Of a transformer layer, in 3DETR and V-DETR.
LAYER_PARTS = {
    'self_attn.in_proj_': 'self_attn.in_proj.',
    'self_attn.out_proj.': 'self_attn.out_proj.',
    'linear1.': 'feedforward.linear1.',
    'linear2.': 'feedforward.linear2.',
    **{name: name for name in ('norm1.', 'norm2.', 'norm3.')},
}
_TRANSFORMER_PARTS = {
    **LAYER_PARTS,
    'multihead_attn.in_proj_': 'cross_attn.in_proj.',
    'multihead_attn.out_proj.': 'cross_attn.out_proj.',
}
_PART = '(' + '|'.join(map(re.escape, _TRANSFORMER_PARTS)) + ')'
BOX_HEADS = {
    'sem_cls_head': 'class_logits',
    'center_head': 'center',
    'size_head': 'size',
    'angle_cls_head': 'angle_logits',
    'angle_residual_head': 'angle_residuals',
}
# Positions in the published sequences. A hidden layer of the projection takes
# three places (convolution, norm, ReLU), of the box heads one more (dropout).
BOX_LAYERS = {'0': '0.linear', '1': '0.norm', '4': '1.linear', '5': '1.norm', '8': '2'}

_RULES = [
    (r'pre_encoder\.' + _POINT_LAYER, lambda m: f'backbone.embeddings.0.{_point_layer(*m.groups())}'),
    (r'encoder\.interim_downsampling\.' + _POINT_LAYER, lambda m: f'backbone.embeddings.1.{_point_layer(*m.groups())}'),
    (r'encoder\.layers\.(\d+)\.' + _PART + TENSOR, lambda m: f'encoder.{m[1]}.{_TRANSFORMER_PARTS[m[2]]}{m[3]}'),
    (r'encoder_to_decoder_projection\.layers\.(\d+)\.' + TENSOR,
     lambda m: f"bbox_head.projection.{int(m[1]) // 3}.{('linear', 'norm')[int(m[1]) % 3]}.{m[2]}"),
    (r'pos_embedding\.gauss_B', lambda m: 'bbox_head.position_embedding.directions'),
    (r'query_projection\.layers\.([02])\.' + TENSOR,
     lambda m: f'bbox_head.query_projection.{int(m[1]) // 2}.linear.{m[2]}'),
    (r'decoder\.layers\.(\d+)\.' + _PART + TENSOR,
     lambda m: f'bbox_head.decoder.layers.{m[1]}.{_TRANSFORMER_PARTS[m[2]]}{m[3]}'),
    (r'decoder\.norm\.' + TENSOR, lambda m: f'bbox_head.decoder.norm.{m[1]}'),
    (r'mlp_heads\.(' + '|'.join(BOX_HEADS) + r')\.layers\.([01458])\.' + TENSOR,
     lambda m: f'bbox_head.box_heads.{BOX_HEADS[m[1]]}.{BOX_LAYERS[m[2]]}.{m[3]}'),
]


def convert_three_detr(state_dict: Mapping[str, Tensor]) -> 'OrderedDict[str, Tensor]':
    """Published 3DETR or 3DETR-m checkpoint to the names of :class:`ThreeDETR`.

    Which of the two it is follows from the names. 1x1 convolutions become
    linear layers: their trailing axes are dropped. With several angle bins
    (SUN RGB-D) the outputs of the angle heads are mirrored, since the
    published yaw runs clockwise and ours counter-clockwise.

    Returns:
        Our names with tensors, as many as were given.

    Raises:
        UserError: If a name is not one of the published models.
    """
    has_interim = any(name.startswith('encoder.interim_downsampling.') for name in state_dict)
    result = OrderedDict()
    for name, value in state_dict.items():
        renamed = rename_three_detr(name, has_interim)
        value = value.flatten(1) if value.dim() > 2 else value
        if re.match(r'bbox_head\.box_heads\.angle_\w+\.2\.', renamed):
            value = mirror_bins(value, negate='residuals' in renamed)
        result[renamed] = value
    return result


def mirror_bins(value: Tensor, negate: bool) -> Tensor:
    """Rows of an angle head's last layer for the opposite sense of rotation: bin b becomes bin -b.

    With one bin the angle is not used, and everything stays as it is.
    """
    num_bins = len(value)
    if num_bins == 1:
        return value
    mirrored = value[-torch.arange(num_bins) % num_bins]
    return -mirrored if negate else mirrored


def rename_three_detr(name: str, has_interim: bool) -> str:
    """Our name of one published tensor.

    Args:
        name: Published name.
        has_interim: Whether the checkpoint has interim downsampling (3DETR-m),
            behind whose first layer our second scale begins.
    """
    for pattern, target in _RULES:
        match = re.fullmatch(pattern, name)
        if match:
            renamed = target(match)
            break
    else:
        raise UserError(f'{name!r} is no name of a published 3DETR checkpoint; pass its "model" entry.')
    if not renamed.startswith('encoder.'):
        return renamed
    _, layer, rest = renamed.split('.', 2)
    if has_interim and int(layer) > 0:
        return f'backbone.stages.1.{int(layer) - 1}.{rest}'
    return f'backbone.stages.0.{layer}.{rest}'


def _point_layer(index: str, part: str, tensor: str) -> str:
    return f"layers.{index}.{'linear' if part == 'conv' else 'norm'}.{tensor}"
