"""Names of the published V-DETR checkpoints, translated to ours."""
import re
from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor

from m2ae_mm.errors import UserError

from .three_detr_keys import BOX_HEADS, BOX_LAYERS, LAYER_PARTS, TENSOR, mirror_bins

# The published backbone: sparse convolutions on voxels, which need MinkowskiEngine.
LEFT_OUT_OF_VDETR = ('pre_encoder.', 'up_block_', 'out_block_')
# A constant that every layer of the published checkpoint holds: the nodes of its tables.
_CONSTANT = re.compile(r'decoder\.layers\.\d+\.multihead_attn\.relative_coords_table')
_VERTEX_MLP = re.compile(r'decoder\.layers\.(\d+)\.multihead_attn\.cpb_mlps\.(\d)\.(0\.weight|0\.bias|2\.weight)')
_VERTEX_PARAMETERS = {'0.weight': 'weight1', '0.bias': 'bias1', '2.weight': 'weight2'}
_POSITION_BIAS = re.compile(r'decoder\.query_pos_projection\.(\d+)\.position_embedding_head\.0\.bias')
_TRANSFORMER_PARTS = {
    **LAYER_PARTS,
    **{f'multihead_attn.{name}.': f'cross_attn.{name}.' for name in 'qkv'},
    'multihead_attn.proj.': 'cross_attn.out_proj.',
}
_PART = '(' + '|'.join(map(re.escape, _TRANSFORMER_PARTS)) + ')'
_BOX_LAYER = r'\.layers\.([01458])\.' + TENSOR
_PROJECTION = {'0': 'linear', '1': 'norm'}
_POSITION = {'0': '0.linear', '1': '0.norm', '3': '1'}

_RULES = [
    (r'encoder_to_decoder_projection\.layers\.([01])\.' + TENSOR, lambda m: f'projection.{_PROJECTION[m[1]]}.{m[2]}'),
    (r'decoder\.pointcls_heads' + _BOX_LAYER, lambda m: f'point_classes.{BOX_LAYERS[m[1]]}.{m[2]}'),
    (r'decoder\.first_layer\.(linear[12])\.' + TENSOR, lambda m: f'first_layer.feedforward.{m[1]}.{m[2]}'),
    (r'decoder\.first_layer\.norm\.' + TENSOR, lambda m: f'first_layer.norm.{m[1]}'),
    (r'decoder\.query_embed\.weight', lambda m: 'content.weight'),
    (r'decoder\.query_pos_projection\.(\d+)\.position_embedding_head\.([013])\.' + TENSOR,
     lambda m: f'layers.{m[1]}.position.{_POSITION[m[2]]}.{m[3]}'),
    (r'decoder\.layers\.(\d+)\.' + _PART + TENSOR, lambda m: f'layers.{m[1]}.{_TRANSFORMER_PARTS[m[2]]}{m[3]}'),
    (r'decoder\.norm\.' + TENSOR, lambda m: f'norm.{m[1]}'),
    (r'decoder\.mlp_heads\.(\d+)\.(' + '|'.join(BOX_HEADS) + ')' + _BOX_LAYER,
     lambda m: f'box_heads.{m[1]}.{BOX_HEADS[m[2]]}.{BOX_LAYERS[m[3]]}.{m[4]}'),
]


def convert_vdetr(state_dict: Mapping[str, Tensor]) -> 'OrderedDict[str, Tensor]':
    """The decoder of a published V-DETR checkpoint to the names of :class:`VDETRHead` in a detector.

    1x1 convolutions become linear layers. A bias that a batch norm follows goes
    into its running mean. The MLPs of a layer's eight vertices become one
    tensor each. With several angle bins the outputs of the angle heads are
    mirrored, since the published yaw runs clockwise and ours
    counter-clockwise. The backbone is dropped.

    Returns:
        Our names with tensors.

    Raises:
        UserError: If a name is not one of the published model, or a vertex lacks its MLP.
    """
    result, vertices = OrderedDict(), {}
    for name, value in state_dict.items():
        mlp = _VERTEX_MLP.fullmatch(name)
        if mlp:
            key = f'bbox_head.layers.{mlp[1]}.cross_attn.bias.{_VERTEX_PARAMETERS[mlp[3]]}'
            vertices.setdefault(key, {})[int(mlp[2])] = value
        elif not (name.startswith(LEFT_OUT_OF_VDETR) or _CONSTANT.fullmatch(name) or _POSITION_BIAS.fullmatch(name)):
            renamed = rename_vdetr(name)
            value = value.flatten(1) if value.dim() > 2 else value
            if re.match(r'bbox_head\.box_heads\.\d+\.angle_\w+\.2\.', renamed):
                value = mirror_bins(value, negate='residuals' in renamed)
            result[renamed] = value
    for name, value in state_dict.items():
        bias = _POSITION_BIAS.fullmatch(name)
        if bias:
            mean = f'bbox_head.layers.{bias[1]}.position.0.norm.running_mean'
            result[mean] = result[mean] - value
    for key, values in vertices.items():
        if set(values) != set(range(8)):
            raise UserError(f'{key} needs the MLPs of 8 vertices, found those of {sorted(values)}.')
        result[key] = torch.stack([values[vertex] for vertex in range(8)])
    return result


def rename_vdetr(name: str) -> str:
    """Our name of one published tensor that has one of ours for itself."""
    for pattern, target in _RULES:
        match = re.fullmatch(pattern, name)
        if match:
            return 'bbox_head.' + target(match)
    raise UserError(f'{name!r} is no name of a published V-DETR checkpoint; pass its "model" entry.')
