"""Names of the published fine-tuned Point-M2AE checkpoints, translated to ours."""
from functools import partial

from .point_m2ae_keys import _PRETRAIN_RULES, rename

# The encoder is named alike in all published checkpoints.
_ENCODER_RULES = [(pattern, target) for pattern, target in _PRETRAIN_RULES if pattern.startswith('h_encoder')]

# Positions in the published sequence: linear, norm, ReLU, dropout, twice, then linear.
_MLP = {'0': 'hidden.0.0', '1': 'hidden.0.1', '4': 'hidden.1.0', '5': 'hidden.1.1', '8': 'classify'}
_CLASSIFIER_RULES = _ENCODER_RULES + [
    (r'norm\.', lambda m: 'head.norm.'),
    (r'cls_head_finetune\.([01458])', lambda m: f'head.{_MLP[m[1]]}'),
]

_SEGMENTOR_RULES = _ENCODER_RULES + [
    (r'label_conv\.0', lambda m: 'head.embed_category.linear'),
    (r'label_conv\.1', lambda m: 'head.embed_category.norm'),
    (r'propagations\.(\d+)\.mlp_convs\.(\d+)', lambda m: f'head.propagations.{m[1]}.layers.{m[2]}.linear'),
    (r'propagations\.(\d+)\.mlp_bns\.(\d+)', lambda m: f'head.propagations.{m[1]}.layers.{m[2]}.norm'),
    (r'convs1', lambda m: 'head.fuse.linear'),
    (r'bns1', lambda m: 'head.fuse.norm'),
    (r'convs([23])', lambda m: f'head.hidden.{int(m[1]) - 2}.linear'),
    (r'bns([23])', lambda m: f'head.hidden.{int(m[1]) - 2}.norm'),
    (r'convs4', lambda m: 'head.classify'),
]

# ModelNet40 and ScanObjectNN checkpoints, those of I2P-MAE, too, to the names of PointM2AEClassifier.
convert_point_m2ae_classifier = partial(rename, rules=_CLASSIFIER_RULES, model='Point-M2AE classification')
# ShapeNetPart checkpoints to the names of PointM2AESegmentor.
convert_point_m2ae_segmentor = partial(rename, rules=_SEGMENTOR_RULES, model='Point-M2AE part segmentation')
