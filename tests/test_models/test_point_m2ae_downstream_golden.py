"""Our classification and segmentation models against the published ones, number by number."""
import json

import pytest
import torch
from golden import TOLERANCE, assert_close, encoder_of, load_vector, published_weights, tensor

from m2ae_mm.checkpoint.point_m2ae_downstream_keys import convert_point_m2ae_classifier, convert_point_m2ae_segmentor
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample


@pytest.mark.parametrize('name, pooling, num_classes, smoothing', [
    ('point_m2ae_modelnet40_cls', 'max+mean', 40, 0.3),
    ('point_m2ae_scanobjectnn_cls', 'concat_published', 15, 0.),
    ('i2p_mae_modelnet40_cls', 'max+mean', 40, 0.2),
    ('i2p_mae_scanobjectnn_cls', 'concat', 15, 0.),
])
def test_classification(name, pooling, num_classes, smoothing):
    vector = load_vector(name)
    config = json.loads(str(vector['config']))
    head = dict(type='PointM2AEClsHead', num_classes=num_classes, in_channels=config['encoder_dims'][-1],
                pooling=pooling, label_smoothing=smoothing)
    backbone = encoder_of(config, radii=config['local_radius'], stage_norm=False)
    model = MODELS.build(dict(type='PointM2AEClassifier', backbone=backbone, head=head))
    model.load_state_dict(convert_point_m2ae_classifier(published_weights(vector)), strict=True)
    model.eval()
    points = tensor(vector, 'points')
    with torch.no_grad():
        logits = model(dict(points=points))
        if 'tokens' in vector:
            tokens = model.backbone.encode(points, model.backbone.build_scales(points))[-1]
            assert_close(tokens, tensor(vector, 'tokens'))
    torch.testing.assert_close(logits, tensor(vector, 'logits'), **TOLERANCE)
    loss = model.head.loss(logits, tensor(vector, 'labels'))['loss_cls']
    torch.testing.assert_close(loss, tensor(vector, 'loss'), **TOLERANCE)


def test_part_segmentation():
    vector = load_vector('point_m2ae_shapenetpart_seg')
    model = MODELS.build(
        dict(type='PointM2AESegmentor', backbone=dict(type='PointM2AEEncoder'), head=dict(type='PointM2AEPartHead')))
    model.load_state_dict(convert_point_m2ae_segmentor(published_weights(vector)), strict=True)
    model.eval()
    samples = [Det3DDataSample(gt_label=label) for label in tensor(vector, 'category')]
    with torch.no_grad():
        logits = model(dict(points=tensor(vector, 'points')), samples)
    torch.testing.assert_close(logits.log_softmax(-1), tensor(vector, 'log_probs'), **TOLERANCE)
