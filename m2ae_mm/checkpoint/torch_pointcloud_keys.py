"""Names of torch-pointcloud's Point-M2AE and 3DETR weights, translated to those of the published checkpoints.

Names are those of its version 0.0.18. Beside them, the layers behind an interpolation differ: they read the
interpolated features first and those of the finer points after, the published ones the other way round.
"""
import re
from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor

from m2ae_mm.errors import UserError

# Which names occur in no published checkpoint.
_MARKS = ('h_encoder.token_embed.0.local_mlp.', 'pre_encoder.sa.')
# Where it keeps them, at fixed commits. Its hf:// stands for https://huggingface.co/.
_ADDRESS = 'https://huggingface.co/torch-pointcloud/{}/resolve/{}/model.safetensors'
_COMMITS = {
    'point-m2ae-base.pretrain.renrui-zhang': '8e22a423991a9a5c4be3f53d52d8e598239d10b9',
    'point-m2ae-base.modelnet40.renrui-zhang': '9714c2f0cf785c65c3fbec0ba1898a37a34166b6',
    'point-m2ae-base.scanobjectnn-objbg.renrui-zhang': '0f840eb0a37ab8c62076d2cf8e668fd26c444968',
    'point-m2ae-base.scanobjectnn-hardest.renrui-zhang': 'f745262b83c9cae12a25b1c2bea5fe0ae0fbea8f',
    'point-m2ae-base.shapenetpart.renrui-zhang': '539d06ae3865cd6c47bee941ff674e0db4148d1e',
    '3detr.scannet.fair': 'd3f48ec2fcbf140d3888bcacc75b3a12489a61a2',
    '3detr-m.scannet.fair': '85c4ce077acf1a9f611bbeb52a959c891a3c4b59',
    '3detr.sunrgbd.fair': 'd7d255c9d852901826de4ac28d55b47a07afedd2',
}

# A layer of its MLPs: the linear ones and the norms are numbered apart, and a norm is wrapped.
_LAYER = r'(lins|norms)\.(\d)(?:\.module)?'
_POINTNET = {('local', 'lins', '0'): 'first_conv.0', ('local', 'norms', '0'): 'first_conv.1',
             ('local', 'lins', '1'): 'first_conv.3', ('global', 'lins', '0'): 'second_conv.0',
             ('global', 'norms', '0'): 'second_conv.1', ('global', 'lins', '1'): 'second_conv.3'}
_PARTS = [
    (r'(local|global)_mlp\.' + _LAYER, lambda m: _POINTNET.get(m.groups(), m[0])),
    (r'(encoder|decoder)_pos_embeds\.(\d)\.lins\.([01])', lambda m: f'{m[1]}_pos_embeds.{m[2]}.{2 * int(m[3])}'),
    (r'(blocks\.\d+\.mlp)\.lins\.([01])', lambda m: f'{m[1]}.fc{int(m[2]) + 1}'),
    (r'fp\.mlp\.' + _LAYER, lambda m: f'fuse.net.{_place(m[1])}'),
    (r'extraction\.(\d+)\.(net[12])\.' + _LAYER, lambda m: f'extraction.operation.{m[1]}.{m[2]}.{_place(m[3])}'),
    (r'label_conv\.' + _LAYER, lambda m: f'label_conv.{_place(m[1])}'),
    (r'(propagations\.\d)\.mlp\.' + _LAYER, lambda m: f"{m[1]}.mlp_{dict(lins='convs', norms='bns')[m[2]]}.{m[3]}"),
    (r'sa\.convs\.0\.local_nn\.' + _LAYER,
     lambda m: f"mlp_module.layer{m[2]}.{dict(lins='conv', norms='bn.bn')[m[1]]}"),
    (r'(layers\.\d+)\.module', lambda m: m[1]),
    (r'gauss_b$', lambda m: 'gauss_B'),
]
_HEAD = re.compile(r'head\.' + _LAYER)
# Published names of the layers behind an interpolation: of part segmentation, whose finer points have 3 coordinates,
# and of the decoder, whose finer tokens are as wide as its output.
_BEHIND_POINTS = re.compile(r'propagations\.\d\.mlp_convs\.0\.weight')
_BEHIND_TOKENS = re.compile(r'token_prop\.\d\.fuse\.net\.0\.weight')


def torch_pointcloud_weights() -> dict[str, str]:
    """Addresses of the weights that are known here, by torch-pointcloud's names for them."""
    return {name: _ADDRESS.format(name, commit) for name, commit in _COMMITS.items()}


def is_torch_pointcloud(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether a state dict has torch-pointcloud's names of a Point-M2AE or 3DETR."""
    return any(name.startswith(_MARKS) for name in state_dict)


def published_names(state_dict: Mapping[str, Tensor]) -> 'OrderedDict[str, Tensor]':
    """A state dict of torch-pointcloud with the names, and the order of inputs, of the published checkpoint.

    Raises:
        UserError: If two names would become one.
    """
    segments = any(name.startswith('label_conv.') for name in state_dict)
    result = OrderedDict((_published(name, segments), value) for name, value in state_dict.items())
    for name, value in result.items():
        if _BEHIND_POINTS.fullmatch(name):
            result[name] = _last_inputs_first(value, 3)
        elif _BEHIND_TOKENS.fullmatch(name):
            result[name] = _last_inputs_first(value, len(value))
    if len(result) != len(state_dict):
        raise UserError(f'{len(state_dict)} tensors with names of torch-pointcloud became {len(result)}: two were '
                        'mapped to one. These weights differ from those of its version 0.0.18.')
    return result


def _published(name: str, segments: bool) -> str:
    for pattern, target in _PARTS:
        name = re.sub(pattern, target, name)
    if segments:
        return _HEAD.sub(lambda m: f"{dict(lins='convs', norms='bns')[m[1]]}{int(m[2]) + 1}", name)
    # Linear, norm, ReLU and dropout take four places in the published classifier.
    return _HEAD.sub(lambda m: f'cls_head_finetune.{4 * int(m[2]) + _place(m[1])}', name)


def _last_inputs_first(weight: Tensor, count: int) -> Tensor:
    return torch.cat([weight[:, -count:], weight[:, :-count]], 1)


def _place(part: str) -> int:
    return dict(lins=0, norms=1)[part]
