"""Two processes with half a batch each compute what one does with the whole batch.

Trained in float64: in float32 rounding grows to a thousandth of a weight in three steps, as any real mistake may be.
"""
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.structures import InstanceData
from processes import run_in_processes
from torch import distributed, nn

import m2ae_mm  # noqa: F401  the processes do not come through conftest.py
from m2ae_mm.engine import M2AEDistributedCPU, SyncBatchNormCPU, end_processes, prepare_processes
from m2ae_mm.engine import distributed as ours
from m2ae_mm.models.layers.scales_and_masks import back_project_mask, random_mask
from mmdet3d.registry import MODELS
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample

STEPS = 3
ALL, HALVES = slice(0, 4), (slice(0, 2), slice(2, 4))
PRETRAINING = dict(
    type='PointM2AE',
    backbone=dict(
        type='PointM2AEEncoder', num_centers=(64, 32, 8), num_neighbors=(8, 4, 4), embed_dims=(12, 24, 48),
        depths=(1, 1, 1), num_heads=3, radii=None, point_hidden=(8, 16, 16), drop_path_rate=0.),
    neck=dict(
        type='PointM2AEDecoder', encoder_dims=(12, 24, 48), embed_dims=(48, 24), depths=(1, 1), num_heads=3,
        drop_path_rate=0.),
    head=dict(type='PointM2AEPretrainHead', in_channels=24, num_points=8),
    mask_ratio=0.75)
DETECTOR = dict(
    type='ThreeDETR',
    backbone=dict(
        type='ThreeDETREncoder', num_points=32, radius=0.4, num_samples=8, mlp_channels=(16, ), embed_dims=16,
        feedforward_channels=16, dropout=0.),
    bbox_head=dict(
        type='ThreeDETRHead', num_classes=3, in_channels=16, projection_channels=(16, ), embed_dims=16, num_queries=8,
        num_layers=2, feedforward_channels=16, mlp_dropout=0., dropout=0.))
BOXES = (3, 2, 1, 0)  # per cloud: 5 in the first process, 1 in the second


def random_clouds(step):
    return torch.rand(4, 256, 3, generator=torch.Generator().manual_seed(step), dtype=torch.float64)


def masks_of(model, clouds):
    """Masks of four clouds by which the halves have equally many groups to reconstruct, but not equally many to see.

    The loss is a mean over the masked groups of scale 2, per process; BatchNorm counts visible groups.
    """
    scales = model.backbone.build_scales(clouds)
    for seed in range(1000):
        top = random_mask(scales[-1].centers, model.mask_ratio, torch.Generator().manual_seed(seed))
        masks = back_project_mask(top, scales)
        (a, b), (c, d) = ([mask[half].sum() for half in HALVES] for mask in masks[:2])
        if c == d and a != b:
            return masks
    raise AssertionError('no such masks')


def train(model, batches, find_unused_parameters=False, sync_bn=True):
    """Steps of momentum SGD, by which equal gradients give equal weights; losses of every step and the state."""
    model.double()
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), 0.05, momentum=0.9), clip_grad=dict(max_norm=1.))
    wrapped = model
    if distributed.is_initialized():
        wrapped = M2AEDistributedCPU(model, find_unused_parameters=find_unused_parameters, sync_bn=sync_bn)
    logs = [wrapped.train_step(batch, optimizer) for batch in batches(model)]
    return dict(logs=[{name: value.item() for name, value in log.items()} for log in logs], state=model.state_dict())


def pretrain(rows, **options):
    def batches(model):
        for step in range(STEPS):
            clouds = random_clouds(step)
            masks = [mask[rows] for mask in masks_of(model, clouds)]
            model.make_masks = lambda scales, masks=masks: masks
            yield dict(inputs=dict(points=list(clouds[rows])), data_samples=[Det3DDataSample() for _ in clouds[rows]])

    torch.manual_seed(0)
    model = MODELS.build(PRETRAINING)
    # The norm of scale 1 feeds nothing: the decoder ends at scale 2.
    return train(model, batches, find_unused_parameters=True, **options)


def detect(rows, no_object_weight):
    def sample(count, seed):
        boxes = torch.rand(count, 6, generator=torch.Generator().manual_seed(seed)) + 0.5
        result = Det3DDataSample()
        result.gt_instances_3d = InstanceData(
            bboxes_3d=DepthInstance3DBoxes(boxes, box_dim=6, with_yaw=False, origin=(0.5, 0.5, 0.5)),
            labels_3d=torch.arange(count) % 3)
        return result

    def batches(model):
        for step in range(STEPS):
            samples = [sample(count, 10 * step + i) for i, count in enumerate(BOXES)]
            yield dict(inputs=dict(points=list(2 * random_clouds(step)[rows])), data_samples=samples[rows])

    torch.manual_seed(0)
    return train(MODELS.build({**DETECTOR, 'train_cfg': dict(no_object_weight=no_object_weight)}), batches)


def norm(rows):
    """Output, input gradient and buffers of one BatchNorm, with 5 rows in one process and 2 in the other."""
    values = torch.randn(7, 3, 4, generator=torch.Generator().manual_seed(0)) * 3 + 100
    x = values[rows].requires_grad_()
    module = nn.BatchNorm1d(3, momentum=None)
    module = SyncBatchNormCPU.convert(module) if distributed.is_initialized() else module
    for factor in (1, 2):
        y = module(factor * x)
    (y * torch.arange(84.).view(7, 3, 4)[rows].sin()).sum().backward()
    return dict(output=y.detach(), gradient=x.grad, state=module.state_dict())


def everything(rank):
    torch.Tensor.float = torch.Tensor.double
    return dict(
        norm=norm((slice(0, 5), slice(5, 7))[rank]),
        pretraining=pretrain(HALVES[rank]),
        pretraining_own_statistics=pretrain(HALVES[rank], sync_bn=False),
        detector=detect(HALVES[rank], 1.),
        detector_published=detect(HALVES[rank], 0.25))


@pytest.fixture
def double(monkeypatch):
    """What the models compute in float32 whatever they are given, in float64."""
    monkeypatch.setattr(torch.Tensor, 'float', torch.Tensor.double)


@pytest.fixture(scope='module')
def processes(tmp_path_factory):
    return run_in_processes(everything, tmp_path_factory.mktemp('processes'))


def mean_loss(results, step, name='loss'):
    return sum(result['logs'][step][name] for result in results) / len(results)


def assert_same_training(results, alone):
    for step in range(STEPS):
        assert mean_loss(results, step) == pytest.approx(alone['logs'][step]['loss'], rel=1e-9)
    for result in results:
        torch.testing.assert_close(result['state'], alone['state'], rtol=1e-8, atol=1e-10)


def difference(state, other):
    return max(float((state[name] - other[name]).abs().max()) for name in state)


def test_batch_norm_counts_every_row_once(processes):
    first, second = (result['norm'] for result in processes)
    alone = norm(slice(0, 7))
    torch.testing.assert_close(torch.cat([first['output'], second['output']]), alone['output'], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.cat([first['gradient'], second['gradient']]), alone['gradient'], rtol=1e-4,
                               atol=1e-5)
    for result in (first, second):
        torch.testing.assert_close(result['state'], alone['state'], rtol=1e-5, atol=1e-5)


def test_pretraining_of_halves_equals_the_whole(processes, double):
    alone = pretrain(ALL)
    assert_same_training([result['pretraining'] for result in processes], alone)
    # What the comparison would notice: statistics of each process alone.
    own = processes[0]['pretraining_own_statistics']['state']
    assert difference(own, alone['state']) > 1e-3


def test_without_sync_the_weights_agree_but_not_the_statistics(processes):
    first, second = (result['pretraining_own_statistics']['state'] for result in processes)
    for name in first:
        assert torch.equal(first[name], second[name]) != ('running' in name), name


def test_detector_of_halves_equals_the_whole(processes, double):
    """With equal weights of all classes; box losses are divided by the mean number of boxes."""
    assert_same_training([result['detector'] for result in processes], detect(ALL, 1.))


def test_only_the_class_loss_depends_on_how_boxes_are_spread(processes, double):
    """Its weighted mean is taken per process, as in the published code."""
    alone = detect(ALL, 0.25)
    results = [result['detector_published'] for result in processes]
    for name, value in alone['logs'][0].items():
        same = mean_loss(results, 0, name) == pytest.approx(value, rel=1e-9, abs=1e-12)
        assert same == ('sem_cls' not in name and name != 'loss'), name


# --- the end of a job


def gloo_threads():
    names = [task.joinpath('comm').read_text() for task in Path('/proc/self/task').iterdir()]
    return sum('gloo' in name for name in names)


def leave(rank):
    """Gloo's threads with a model trained, and when the process is about to end."""
    model = M2AEDistributedCPU(nn.Linear(2, 1))
    model.cycle = [model]  # as with its runner
    model.module(torch.ones(1, 2)).sum().backward()
    counts = [gloo_threads()]
    del model
    end_processes()
    return counts + [gloo_threads()]


def test_no_thread_is_left_that_could_abort_a_finished_process(tmp_path):
    for before, after in run_in_processes(leave, tmp_path):
        assert before > 0 and after == 0


# --- what the tools set


def config(**entries):
    return Config(dict(launcher='pytorch', randomness=dict(seed=3), **entries))


@pytest.fixture
def environment(monkeypatch):
    """As torchrun makes it; the process group is not made."""
    for name, value in dict(RANK=0, WORLD_SIZE=2, MASTER_ADDR='127.0.0.1', MASTER_PORT=1).items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(ours.distributed, 'init_process_group', lambda backend: None)
    monkeypatch.setattr(torch.accelerator, 'is_available', lambda: False)
    return monkeypatch


def test_processes_draw_different_numbers_unless_told_otherwise(environment):
    apart, alike = config(), config()
    alike.randomness.diff_rank_seed = False
    for each in (apart, alike):
        prepare_processes(each)
    assert apart.randomness == dict(seed=3, diff_rank_seed=True)
    assert alike.randomness == dict(seed=3, diff_rank_seed=False)
    alone = Config(dict(launcher='none', randomness=dict(seed=3)))
    prepare_processes(alone)
    assert alone.randomness == dict(seed=3)


def test_sync_bn_moves_to_the_wrapper_on_the_cpu(environment):
    synced, plain = config(sync_bn='torch'), config(find_unused_parameters=True)
    for each in (synced, plain):
        prepare_processes(each)
    assert synced.model_wrapper_cfg == dict(
        type='mmdet3d.M2AEDistributedCPU', find_unused_parameters=False, sync_bn=True)
    assert synced.get('sync_bn') is None
    assert plain.model_wrapper_cfg.find_unused_parameters and not plain.model_wrapper_cfg.sync_bn


def test_mpi_passes_its_local_rank_on(environment):
    environment.setattr(torch.accelerator, 'is_available', lambda: True)
    environment.setenv('OMPI_COMM_WORLD_LOCAL_RANK', '1')
    environment.setenv('LOCAL_RANK', '0')
    mpi = Config(dict(launcher='mpi'))
    prepare_processes(mpi)
    assert ours.os.environ['LOCAL_RANK'] == '1'
    assert mpi.get('model_wrapper_cfg') is None
    assert mpi.randomness == dict(seed=None, diff_rank_seed=True)  # mmengine wants a seed named
