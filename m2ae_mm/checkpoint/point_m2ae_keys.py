"""Names of the published Point-M2AE and I2P-MAE pre-training checkpoints, translated to ours."""
import re
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial

from torch import Tensor

from m2ae_mm.errors import UserError

# Published pattern -> our name. Indices are kept unless a function changes them.
_POINTNET = {
    'first_conv.0': 'lift',
    'first_conv.1': 'lift_norm',
    'first_conv.3': 'local',
    'second_conv.0': 'join',
    'second_conv.1': 'join_norm',
    'second_conv.3': 'out',
}
_PROPAGATION = {'fuse.net.0': 'fuse.linear', 'fuse.net.1': 'fuse.norm'}
_RESIDUAL = {'net1.0': 'first.linear', 'net1.1': 'first.norm', 'net2.0': 'second.linear', 'net2.1': 'second.norm'}

_PRETRAIN_RULES = [
    (r'h_encoder\.token_embed\.(\d+)\.(\w+\.\d)', lambda m: f'backbone.embeddings.{m[1]}.{_POINTNET[m[2]]}'),
    (r'h_encoder\.encoder_pos_embeds\.(\d+)', lambda m: f'backbone.stages.{m[1]}.position'),
    (r'h_encoder\.encoder_blocks\.(\d+)\.blocks', lambda m: f'backbone.stages.{m[1]}.blocks'),
    (r'h_encoder\.encoder_norms\.(\d+)', lambda m: f'backbone.norms.{m[1]}'),
    (r'mask_token', lambda m: 'neck.mask_token'),
    (r'h_decoder\.(\d+)\.blocks', lambda m: f'neck.stages.{m[1]}.blocks'),
    (r'decoder_pos_embeds\.(\d+)', lambda m: f'neck.stages.{m[1]}.position'),
    (r'token_prop\.(\d+)\.(fuse\.net\.\d)', lambda m: f'neck.propagations.{m[1]}.{_PROPAGATION[m[2]]}'),
    (r'token_prop\.(\d+)\.extraction\.operation\.(\d+)\.(net\d\.\d)',
     lambda m: f'neck.propagations.{m[1]}.blocks.{m[2]}.{_RESIDUAL[m[3]]}'),
    (r'decoder_norm', lambda m: 'neck.norm'),
    (r'rec_head(_3d)?(?=\.)', lambda m: 'head.predict_points'),
]
# What I2P-MAE learns from images with: all of CLIP, and the head that predicts CLIP's features.
TWO_D_SIDE_OF_I2P = ('clip_model.', 'rec_head_2d.')


def rename(state_dict: Mapping[str, Tensor], rules: list, model: str) -> 'OrderedDict[str, Tensor]':
    """Apply the first rule that matches the start of each name; the rest of the name is kept.

    1x1 convolutions become linear layers: their trailing axis is dropped.

    Args:
        state_dict: Published names with tensors.
        rules: Patterns, and what makes our names of their matches.
        model: What is published, for the message.

    Raises:
        UserError: If a name is not one of the published model.
    """
    result = OrderedDict()
    for name, value in state_dict.items():
        for pattern, target in rules:
            match = re.match(pattern, name)
            if match:
                renamed = target(match) + name[match.end():]
                break
        else:
            raise UserError(f'{name!r} is no name of a published {model} checkpoint.')
        is_conv = name.endswith('weight') and value.dim() == 3
        result[renamed] = value.squeeze(-1) if is_conv else value
    return result


convert_point_m2ae_pretrain = partial(rename, rules=_PRETRAIN_RULES, model='Point-M2AE pre-training')


def convert_i2p_mae_pretrain(state_dict: Mapping[str, Tensor]) -> 'OrderedDict[str, Tensor]':
    """Published I2P-MAE pre-training checkpoint to the names of :class:`PointM2AE`; its 2D side is dropped."""
    kept = {name: value for name, value in state_dict.items() if not name.startswith(TWO_D_SIDE_OF_I2P)}
    return rename(kept, _PRETRAIN_RULES, 'I2P-MAE pre-training')
