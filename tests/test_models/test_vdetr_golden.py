"""V-DETR's decoder side against the published code."""
import json

import pytest
import torch
from golden import assert_close, load_vector, published_weights, tensor
from mmengine.structures import InstanceData

from m2ae_mm.checkpoint.vdetr_keys import convert_vdetr, rename_vdetr
from m2ae_mm.models.heads.box_targets import collect_targets
from mmdet3d.registry import MODELS
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample

LOSSES = ['loss_sem_cls', 'loss_angle_cls', 'loss_angle_reg', 'loss_center', 'loss_size', 'loss_giou']
# VoteNet's mean sizes of ScanNet's classes, in metres.
MEAN_SIZES = [
    [0.76966727, 0.8116021, 0.92573744], [1.876858, 1.8425595, 1.1931566], [0.61328, 0.6148609, 0.7182701],
    [1.3955007, 1.5121545, 0.83443564], [0.97949594, 1.0675149, 0.6329687], [0.531663, 0.5955577, 1.7500148],
    [0.9624706, 0.72462326, 1.1481868], [0.83221924, 1.0490936, 1.6875663], [0.21132214, 0.4206159, 0.5372846],
    [1.4440073, 1.8970833, 0.26985747], [1.0294262, 1.4040797, 0.87554324], [1.3766412, 0.65521795, 1.6813129],
    [0.6650819, 0.71111923, 1.298853], [0.41999173, 0.37906948, 1.7513971], [0.59359556, 0.5912492, 0.73919016],
    [0.50867593, 0.50656086, 0.30136237], [1.1511526, 1.0546296, 0.49706793], [0.47535285, 0.49249494, 0.5802117]
]


def build(vector, **options):
    """Our head with the sizes and weights of a vector, in evaluation mode."""
    args = json.loads(str(vector['args']))
    head = dict(
        type='VDETRHead',
        num_classes=vector['point/cls_logits'].shape[-1],
        in_channels=args['enc_dim'],
        embed_dims=args['dec_dim'],
        num_queries=args['nqueries'],
        num_layers=args['dec_nlayers'] - 1,
        feedforward_channels=args['dec_ffn_dim'],
        num_angle_bins=vector['pred/0/angle_logits'].shape[-1],
        anchor_sizes=None if args['hard_anchor'] else MEAN_SIZES,
        rpe_channels=args['rpe_dim'],
        rpe_in_box_frame=args['angle_type'] == 'object_coords',
        train_cfg=dict(matcher=dict(copies=max(args['repeat_num'], 1))))
    head = MODELS.build({**head, **options})
    weights = convert_vdetr(published_weights(vector))
    head.load_state_dict({name.removeprefix('bbox_head.'): value for name, value in weights.items()})
    return head.eval()


def features(vector):
    """What a backbone would return; of the cloud only its extent counts."""
    tokens = tensor(vector, 'tokens').clone().requires_grad_()
    cloud = torch.stack([tensor(vector, 'dims_min'), tensor(vector, 'dims_max')], 1)
    return tokens, dict(fp_xyz=[tensor(vector, 'xyz')], fp_features=[tokens.transpose(1, 2)], points=cloud)


def samples(vector):
    """Ground truth as mmdet3d's data samples; published angles turn clockwise."""
    result = []
    rotated = vector['pred/0/angle_logits'].shape[-1] > 1
    for centers, sizes, labels, angles, present in zip(*(tensor(vector, f'gt_{name}') for name in (
            'centers', 'sizes', 'labels', 'angles', 'present'))):
        boxes = torch.cat([centers, sizes, -angles.unsqueeze(1)], -1)[present]
        boxes = DepthInstance3DBoxes(
            boxes if rotated else boxes[:, :6], box_dim=7 if rotated else 6, with_yaw=rotated, origin=(0.5, 0.5, 0.5))
        sample = Det3DDataSample()
        sample.gt_instances_3d = InstanceData(bboxes_3d=boxes, labels_3d=labels[present])
        result.append(sample)
    return result


def targets_of(vector, head):
    return collect_targets([sample.gt_instances_3d for sample in samples(vector)], head.num_classes,
                           torch.device('cpu'), head.matcher.rotated)


def corners(boxes):
    """``(B, Q, 8, 3)`` in the published camera axes x, -z, y, numbered as there."""
    signs = torch.tensor([[1, 1, -1], [1, -1, -1], [-1, -1, -1], [-1, 1, -1], [1, 1, 1], [1, -1, 1], [-1, -1, 1],
                          [-1, 1, 1]])
    local = signs * boxes[..., None, 3:6] / 2
    cos, sin = boxes[..., 6:].cos(), boxes[..., 6:].sin()
    x = boxes[..., :1] + local[..., 0] * cos - local[..., 1] * sin
    y = boxes[..., 1:2] + local[..., 0] * sin + local[..., 1] * cos
    return torch.stack([x, -(boxes[..., 2:3] + local[..., 2]), y], -1)


@pytest.fixture(params=['vdetr_scannet', 'vdetr_class_anchors', 'vdetr_rotated'], scope='module')
def published(request):
    """A vector, the head and its predictions."""
    vector = load_vector(request.param)
    head = build(vector)
    _, feats = features(vector)
    return vector, head, head(feats)


def test_proposals_are_the_published_ones(published):
    vector, head, predictions = published
    if 'projected_tokens' in vector:
        assert_close(head.projection(tensor(vector, 'tokens')), tensor(vector, 'projected_tokens'))
    assert_close(predictions.point_logits, tensor(vector, 'point/cls_logits'))
    assert_close(predictions.first.references[0, ..., 3:], tensor(vector, 'point/anchor_size'))
    assert torch.equal(predictions.picked, tensor(vector, 'query/index'))


def test_every_layer_predicts_the_published_boxes(published):
    vector, _, predictions = published
    layers = [predictions.first, *(type(predictions.layers)(*(value[i:i + 1] for value in predictions.layers))
                                   for i in range(len(predictions.layers.boxes)))]
    for i, layer in enumerate(layers):
        ours = dict(sem_cls_logits=layer.class_logits, center_unnormalized=layer.boxes[..., :3],
                    size_unnormalized=layer.boxes[..., 3:6], center_reg=layer.centers, size_reg=layer.sizes)
        for name, value in ours.items():
            assert_close(value[0], tensor(vector, f'pred/{i}/{name}'))
        assert_close(corners(layer.boxes[0]), tensor(vector, f'pred/{i}/box_corners'))
        if f'pred/{i}/angle_continuous' in vector:
            angles = tensor(vector, f'pred/{i}/angle_continuous')
            turn = (layer.boxes[0, ..., 6] + angles).remainder(2 * torch.pi)
            assert torch.minimum(turn, 2 * torch.pi - turn).max() < 1e-5
    assert f'pred/{len(layers)}/center_reg' not in vector


def test_the_bias_of_the_first_decoder_layer_is_the_published_one(published):
    vector, head, predictions = published
    boxes = predictions.first.boxes[0].take_along_dim(predictions.picked.unsqueeze(-1), 1)
    bias = head.layers[0].cross_attn.bias
    xyz = tensor(vector, 'xyz')
    assert_close(bias(boxes[:, :16], xyz), tensor(vector, 'rpe/bias_first_layer'))
    if 'rpe/table_vertex_3' in vector:
        assert_close(bias.tables()[3], tensor(vector, 'rpe/table_vertex_3'))
    if 'rpe/bias_first_layer_world' in vector:
        head = build(vector, rpe_in_box_frame=False)
        assert_close(head.layers[0].cross_attn.bias(boxes[:, :8], xyz), tensor(vector, 'rpe/bias_first_layer_world'))


def test_matching_is_the_published_one(published):
    vector, head, predictions = published
    first, layers = head.matcher(predictions, targets_of(vector, head), None)
    for assignment, start in ((first, 0), (layers, 1)):
        for i, (index, matched) in enumerate(zip(*assignment), start):
            expected = tensor(vector, f'match/{i}/matched')
            assert torch.equal(matched, expected)
            assert torch.equal(index[expected], tensor(vector, f'match/{i}/gt_index')[expected])


def test_losses_and_gradients_are_the_published_ones(published):
    vector = published[0]
    head = build(vector)
    # The published layer has a bias before its batch norm, which counts in the norm of all gradients.
    for layer in head.layers:
        linear = layer.position[0].linear
        linear.bias = torch.nn.Parameter(torch.zeros(linear.out_features))
    tokens, feats = features(vector)
    losses = head.loss(feats, samples(vector))
    for name in LOSSES:
        assert_close(losses[name], tensor(vector, f'loss/{name}'))
        for i in range(len(head.layers)):
            assert_close(losses[f'd{i}.{name}'], tensor(vector, f'loss/{name}_{i}'))
    assert_close(losses['loss_point_cls'], tensor(vector, 'loss/enc_point_cls_loss'))
    total = sum(losses.values())
    assert_close(total, tensor(vector, 'loss'))

    total.backward()
    gradients = {name: parameter.grad for name, parameter in head.named_parameters()}
    names = [key for key in vector if key.startswith('grad/')]
    assert len(names) >= 14
    for key in names:
        expected = tensor(vector, key)
        ours = tokens.grad if key == 'grad/tokens' else gradient_of(gradients, key.removeprefix('grad/'))
        assert (ours - expected.view_as(ours)).abs().max() <= 1e-4 * expected.abs().max(), key
    norm = torch.stack([gradient.norm() for gradient in gradients.values()]).norm()
    assert norm.item() == pytest.approx(vector['grad_norm'].item(), rel=1e-4)


def gradient_of(gradients, name):
    """Ours for one published parameter; of rotated boxes the angle heads are mirrored."""
    if 'cpb_mlps' in name:
        layer, vertex, part = name.split('.')[2], int(name.split('.')[5]), '.'.join(name.split('.')[6:])
        ours = {'0.weight': 'weight1', '2.weight': 'weight2'}[part]
        return gradients[f'layers.{layer}.cross_attn.bias.{ours}'][vertex]
    ours = gradients[rename_vdetr(name).removeprefix('bbox_head.')]
    if 'angle_residual_head.layers.8' in name and len(ours) > 1:
        return -ours[-torch.arange(len(ours)) % len(ours)]
    return ours


def test_foreign_names_are_refused():
    weights = published_weights(load_vector('vdetr_scannet'))
    with pytest.raises(ValueError, match="'decoder.layers.0.norm4.weight' is no name"):
        convert_vdetr({**weights, 'decoder.layers.0.norm4.weight': torch.zeros(1)})
