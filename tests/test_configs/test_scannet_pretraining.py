"""From pre-training on scenes to detection: what the detector takes over, at tiny sizes."""
import pytest
import torch
from mmengine.config import Config
from runs import CONFIGS, shrink_model

from m2ae_mm.checkpoint import write_checkpoint
from mmdet3d.registry import MODELS

TINY_3DETR = dict(
    num_points=64, num_samples=8, mlp_channels=(16, ), embed_dims=32, feedforward_channels=16,
    interim=dict(num_points=32, num_samples=6, mlp_channels=(16, )))
TINY_HEAD = dict(in_channels=32, projection_channels=(16, ), embed_dims=32, num_queries=8, num_layers=2)


def clouds(count=2, seed=0):
    return list(torch.rand(count, 300, 3, generator=torch.Generator().manual_seed(seed)) * 3)


def three_detr_pair():
    """Configs of the paper's experiment: pre-training and detection."""
    pretrain, detect = (Config.fromfile(CONFIGS / f'scannet_3detr-m_{name}.py') for name in ('pretrain', 'det'))
    pretrain.model.backbone.merge(TINY_3DETR)
    pretrain.model.neck.update(encoder_dims=[32, 32], embed_dims=[32])
    pretrain.model.head.in_channels = 32
    detect.model.backbone.merge(TINY_3DETR)
    detect.model.bbox_head.update(TINY_HEAD)
    return pretrain.model, detect.model


def hierarchical_pair():
    """The same for our encoder under the 3DETR decoder."""
    pretrain, detect = (Config.fromfile(CONFIGS / f'scannet_{name}.py') for name in ('pretrain', 'det'))
    shrink_model(pretrain.model)
    detect.model.backbone.update({name: pretrain.model.backbone[name] for name in
                                  ('num_centers', 'num_neighbors', 'embed_dims', 'depths', 'num_heads',
                                   'point_hidden')})
    detect.model.neck.update(encoder_dims=pretrain.model.backbone.embed_dims, out_channels=[32])
    detect.model.bbox_head.update(TINY_HEAD)
    return pretrain.model, detect.model


@pytest.mark.parametrize('pair', [three_detr_pair, hierarchical_pair])
def test_detector_starts_from_the_pretrained_encoder(pair, tmp_path, monkeypatch):
    pretrain, detect = pair()
    torch.manual_seed(0)
    model = MODELS.build(pretrain)
    model.init_weights()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model(dict(points=clouds()), mode='loss')['loss_chamfer'].backward()
    optimizer.step()
    write_checkpoint(model.state_dict(), tmp_path / 'epoch_1.pth')

    messages = []
    monkeypatch.setattr('m2ae_mm.checkpoint.loading.print_log', lambda text, **_: messages.append(text))
    detect.backbone.init_cfg.checkpoint = str(tmp_path / 'epoch_1.pth')
    detector = MODELS.build(detect)
    detector.init_weights()
    trained, loaded = model.backbone.state_dict(), detector.backbone.state_dict()
    assert trained.keys() == loaded.keys()
    assert all(torch.equal(trained[name], loaded[name]) for name in trained)
    # The whole encoder, nothing new in it, decoder and reconstruction head left out.
    assert messages == [f'{type(detector.backbone).__name__}: loaded {len(trained)} tensors from '
                        f'{tmp_path / "epoch_1.pth"}']


def test_the_papers_experiment_pretrains_the_encoder_of_3detr_m():
    pretrain, detect = (Config.fromfile(CONFIGS / f'scannet_3detr-m_{name}.py') for name in ('pretrain', 'det'))
    encoder = dict(pretrain.model.backbone)
    assert encoder.pop('masking_radii') is None
    published = {**detect.model.backbone}
    assert published.pop('masking_radii') == (0.16, 0.64, 1.44)
    assert published.pop('init_cfg').prefix == 'backbone.'
    assert encoder == published
    assert (pretrain.train_cfg.max_epochs, pretrain.optim_wrapper.optimizer.lr) == (1080, 5e-4)
    # But for the slot of the checkpoint, training is 3DETR-m's.
    scratch = Config.fromfile(CONFIGS.parent / '3detr' / '3detr-m_scannet.py')
    del detect.model.backbone.init_cfg
    assert detect.to_dict() == scratch.to_dict()


@pytest.mark.parametrize('options,scale,group', [
    ({}, 1, 6),
    (dict(neck=dict(embed_dims=[32, 32], depths=[1, 1])), 0, 8),  # the other reading, see the config
])
def test_what_is_reconstructed(options, scale, group):
    """Groups of the masked centres of scale 2 among scale-1 centres; with two stages, of scale 1 among the points."""
    config, _ = three_detr_pair()
    config.merge(options)
    torch.manual_seed(0)
    model = MODELS.build(config)
    points = torch.stack(clouds())
    scales = model.backbone.build_scales(points)
    masked = model.make_masks(scales)
    assert masked[1].sum(1).tolist() == [25, 25]  # int(0.8 * 32)
    result = model.reconstruct(points, scales, masked)
    predicted, target, _ = result.select()
    hidden = masked[scale].nonzero()
    assert target.shape == (len(hidden), group, 3) and predicted.shape == (len(hidden), 32, 3)
    below = points if scale == 0 else scales[0].centers
    cloud, center = hidden[-1]
    members = below[cloud, scales[scale].neighbors[cloud, center]]
    torch.testing.assert_close(target[-1], members - scales[scale].centers[cloud, center])
    model.head.loss(result)['loss_chamfer'].backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []
