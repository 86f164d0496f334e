import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from m2ae_mm.checkpoint import write_checkpoint
from m2ae_mm.engine import set_tuning
from m2ae_mm.ops import interpolate
from mmdet3d.models.segmentors import EncoderDecoder3D
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, PointData

DIMS = [8, 12, 16]
LOSS = dict(type='mmdet.CrossEntropyLoss', use_sigmoid=False, avg_non_ignore=True)
OWN = dict(type='M2AESegHead', in_channels=8, channels=8)
SLIDE = dict(mode='slide', num_points=32, block_size=1., sample_rate=0.5, use_normalized_coord=False, batch_size=4)


def segmentor_config(head=OWN, neck=(16, 8, 8), columns=3, test_cfg=None, kind='M2AESceneSegmentor'):
    init_default_scope('mmdet3d')
    torch.manual_seed(0)
    neck = neck and dict(type='PointM2AEPropagation', encoder_dims=DIMS, out_channels=list(neck),
                         point_channels=columns)
    return ConfigDict(
        type=kind, data_preprocessor=dict(type='Det3DDataPreprocessor'),
        backbone=dict(type='PointM2AEEncoder', in_channels=columns, num_centers=[24, 12, 6], num_neighbors=[8, 4, 4],
                      embed_dims=DIMS, depths=[1, 1, 1], num_heads=2, radii=[0.5, 1., 2.], point_hidden=[4, 8, 8]),
        neck=neck, decode_head=dict(num_classes=3, ignore_index=3, loss_decode=LOSS, **head),
        train_cfg=dict(), test_cfg=dict(test_cfg or dict(mode='whole')))


def segmentor(*args, **kwargs):
    model = MODELS.build(segmentor_config(*args, **kwargs))
    model.init_weights()
    return model


def batch(sizes=(64, 64), columns=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    clouds = [torch.rand(size, columns, generator=generator) * 2 for size in sizes]
    samples = []
    for cloud in clouds:
        sample = Det3DDataSample(metainfo=dict(lidar_path='a.bin'))
        sample.gt_pts_seg = PointData(pts_semantic_mask=torch.randint(0, 4, (len(cloud), ), generator=generator))
        samples.append(sample)
    return dict(inputs=dict(points=clouds), data_samples=samples)


POINTNET2 = dict(type='PointNet2Head', channels=8, fp_channels=((28, 16), (24, 16), (16, 8)))
DGCNN = dict(type='DGCNNHead', channels=8, fp_channels=(8, 8))


@pytest.mark.parametrize('kind', ['M2AESceneSegmentor', 'EncoderDecoder3D'])
@pytest.mark.parametrize('head, neck, columns', [
    (OWN, (16, 8, 8), 3), (OWN, (16, 8), 3), (OWN, (16, 8, 8), 7), (POINTNET2, None, 6),
    (DGCNN, (16, 8, 8), 3)], ids=['to the points', 'to a scale', 'columns', 'PointNet2Head', 'DGCNNHead'])
def test_every_point_is_scored_and_every_weight_learns(head, neck, columns, kind):
    model, data = segmentor(head, neck, columns, kind=kind), batch(columns=columns)
    assert model(**data, mode='tensor').shape == (2, 3, 64)
    sum(model(**data, mode='loss').values()).backward()
    without = {name for name, value in model.named_parameters() if value.grad is None}
    assert not without
    for sample in model.eval()(**data, mode='predict'):
        labels = sample.pred_pts_seg.pts_semantic_mask
        assert labels.shape == (64, ) and set(labels.tolist()) <= {0, 1, 2}


@pytest.mark.parametrize('neck', [(16, 8), (16, 8, 8)])
def test_the_linear_probe_is_one_layer_on_interpolated_tokens(neck):
    config = Config(dict(model=segmentor_config(neck=neck)))
    set_tuning(config, 'linear')
    model = MODELS.build(config.model).train()
    learning = {name for name, value in model.named_parameters() if value.requires_grad}
    assert learning == {'decode_head.conv_seg.weight', 'decode_head.conv_seg.bias'}
    assert model.decode_head.conv_seg.weight.shape[:2] == (3, sum(DIMS))
    points = torch.stack(batch()['inputs']['points'])
    found = model.backbone(points)
    normalised = [torch.nn.functional.layer_norm(each.transpose(1, 2), each.shape[1:2])
                  for each in found['sa_features'][1:]]
    middle = torch.cat([normalised[1], interpolate(found['sa_xyz'][2], found['sa_xyz'][3], normalised[2])], -1)
    finest = torch.cat([normalised[0], interpolate(found['sa_xyz'][1], found['sa_xyz'][2], middle)], -1)
    at_points = interpolate(points, found['sa_xyz'][1], finest)
    layer = model.decode_head.conv_seg
    by_hand = torch.nn.functional.linear(at_points, layer.weight.squeeze(-1), layer.bias).transpose(1, 2)
    torch.testing.assert_close(model.decode_head(model.neck(found)), by_hand, rtol=1e-4, atol=1e-5)


def test_ignored_points_have_no_part_in_the_loss():
    model, data = segmentor().eval(), batch()
    before = model(**data, mode='loss')['decode.loss_sem_seg']
    logits = model(**data, mode='tensor')
    labels = torch.stack([sample.gt_pts_seg.pts_semantic_mask for sample in data['data_samples']])
    kept = labels < 3
    by_hand = torch.nn.functional.cross_entropy(logits.transpose(1, 2)[kept], labels[kept])
    torch.testing.assert_close(before, by_hand)
    for sample in data['data_samples']:
        sample.gt_pts_seg.pts_semantic_mask[:] = 3
    assert float(model(**data, mode='loss')['decode.loss_sem_seg']) == 0


def test_scores_of_points_that_the_encoder_does_not_see_are_those_of_the_nearest():
    model = segmentor(test_cfg=dict(mode='whole', num_points=40)).eval()
    points = torch.rand(1, 100, 3)
    chosen = torch.randperm(100, generator=torch.Generator().manual_seed(0))[:40]
    with torch.no_grad():
        logits = model.inference(points, [{}], True)
        seen = model.encode_decode(points[:, chosen], [{}])
        again = model.inference(points, [{}], True)
    assert logits.shape == (1, 3, 100) and torch.equal(logits, again)
    torch.testing.assert_close(logits[..., chosen], seen, rtol=1e-4, atol=1e-5)
    other = next(i for i in range(100) if i not in chosen)
    distance = (points[0, chosen] - points[0, other]).square().sum(1)
    nearest = distance.topk(3, largest=False)
    weights = 1 / (nearest.values + 1e-8)
    torch.testing.assert_close(logits[0, :, other], seen[0][:, nearest.indices] @ (weights / weights.sum()),
                               rtol=1e-4, atol=1e-5)


def test_blocks_are_those_of_mmdet3d():
    model = segmentor(test_cfg=SLIDE)
    points = torch.cat([torch.rand(200, 2) * torch.tensor([3.3, 2.1]), torch.rand(200, 4)], 1)
    options = (32, 1., 0.5, True)
    ours, chosen = model._sliding_patch_generation(points, *options)
    theirs, their_choice = EncoderDecoder3D._sliding_patch_generation(model, points, *options)
    assert ours.shape == theirs.shape == (len(chosen), 9)

    def blocks(rows, positions):
        """Which points each block has, and where its middle is."""
        found = {}
        for row, position in zip(rows, positions.tolist()):
            middle = tuple(((points[position, :2] - row[:2]) * 1000).round().int().tolist())
            found.setdefault(middle, set()).add(position)
        return found

    assert blocks(ours, chosen) == blocks(theirs, their_choice)
    again = model._sliding_patch_generation(points, *options)
    assert torch.equal(again[0], ours) and torch.equal(again[1], chosen)


@pytest.mark.parametrize('extent', [(0.2, 0.2), (0.2, 5.), (2.4, 0.3), (0., 0.)])
def test_scenes_smaller_than_a_block_are_labelled_too(extent):
    model = segmentor(test_cfg=SLIDE).eval()
    points = torch.rand(50, 3) * torch.tensor([*extent, 1.])
    with torch.no_grad():
        logits = model.inference(points[None], [{}], True)
    assert logits.shape == (1, 3, 50) and logits.isfinite().all()


@pytest.mark.parametrize('test_cfg, text', [
    (dict(mode='windows'), "has mode='windows'. Set mode='whole', or mode='slide' with num_points, block_size"),
    (dict(num_points=3), 'has mode=None'),
    (dict(mode='slide', num_points=32), 'lacks block_size, sample_rate, use_nor')])
def test_ways_to_test_that_there_are_not_are_named(test_cfg, text):
    with pytest.raises(ValueError, match=text):
        segmentor(test_cfg=test_cfg)


@pytest.mark.parametrize('sizes, change, text', [
    ((64, 60), None, r'equally many points, got \[60, 64\]. Put PointSample'),
    ((64, 64), slice(60), "'a.bin' has 64 points and 60 labels"),
    ((64, 64), None, None),
    ((64, 64), 'not packed', None),
])
def test_batches_that_cannot_be_stacked_are_named(sizes, change, text):
    model, data = segmentor(), batch(sizes)
    sample = data['data_samples'][1]
    if text is None:
        del sample.gt_pts_seg
        if change is not None:  # as mmdet3d packs a sample without masks
            sample.gt_pts_seg = PointData()
        text = "'a.bin' has 64 points and no labels"
    elif change is not None:
        sample.gt_pts_seg = PointData(pts_semantic_mask=sample.gt_pts_seg.pts_semantic_mask[change])
    with pytest.raises(ValueError, match=text):
        model(**data, mode='loss')


def test_the_neck_joins_columns_that_there_are():
    model = segmentor(columns=6)
    model.neck.point_channels = 7
    with pytest.raises(ValueError, match='as many columns of a point, got 6'):
        model(**batch(columns=6), mode='tensor')


def test_weights_of_coordinates_start_an_encoder_of_more_columns(tmp_path):
    stored = segmentor().backbone
    write_checkpoint({f'backbone.{name}': value for name, value in stored.state_dict().items()},
                     tmp_path / 'a.safetensors')
    config = segmentor_config(columns=7)
    config.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.safetensors'), prefix='backbone.')
    model = MODELS.build(config)
    model.init_weights()
    points = torch.rand(1, 64, 7)
    with torch.no_grad():
        expected, found = stored.eval()(points[..., :3]), model.backbone.eval()(points)
    for ours, theirs in zip(found['sa_features'][1:], expected['sa_features'][1:]):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    sum(model(**batch(columns=7), mode='loss').values()).backward()
    assert model.backbone.embeddings[0].lift.weight.grad[:, 3:].abs().max() > 0
    config.backbone.in_channels, config.neck.point_channels = 6, 6
    write_checkpoint({f'backbone.{name}': value for name, value in model.backbone.state_dict().items()},
                     tmp_path / 'a.safetensors')
    with pytest.raises(ValueError, match=r'\(4, 7\) stored, \(4, 6\) needed'):
        MODELS.build(config).init_weights()
