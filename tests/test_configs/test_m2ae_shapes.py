"""Every config for single shapes trains, resumes and evaluates on files in the published layout."""
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from runs import CONFIGS, LOADERS, score, shrink_model, tiny_config, train
from shapes import (
    shape_points,
    write_fewshot,
    write_modelnet40,
    write_modelnet40_h5,
    write_packs,
    write_scanobjectnn,
    write_shapenet55,
    write_shapenetpart,
)

from m2ae_mm.checkpoint import load_for_test
from mmdet3d.registry import DATASETS, MODELS
from mmdet3d.structures import Det3DDataSample


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    """Models this small lose more by handing work between threads than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory):
    """Pre-training with a linear probe; gives its runner and a checkpoint."""
    folder = tmp_path_factory.mktemp('pretrain')
    root = write_shapenet55(folder / 'shapenet', num_train=8)
    config = tiny_config('shapenet_pretrain_probe.py', folder / 'work', root)
    config.custom_hooks[0].dataloader.dataset.data_root = str(write_modelnet40_h5(folder / 'modelnet'))
    config.custom_hooks[0].dataloader.num_workers = 0
    return train(config, resume_to=2), folder / 'work' / 'epoch_2.pth'


def test_pretraining_resumes_and_is_probed(pretrained):
    runner, _ = pretrained
    assert 0 < runner.message_hub.get_scalar('train/loss').current() < 2
    assert 0 < score(runner, 'reconstruction/chamfer') < 1
    assert 0 <= score(runner, 'linear_probe/accuracy') <= 100
    assert 'val/linear_probe/accuracy' not in runner.message_hub.log_scalars  # mmengine would count it as validation
    # Warm-up from 1e-6 over the first 10 of 300 epochs.
    rates = runner.message_hub.get_scalar('train/lr').data[0]
    assert 1e-6 <= rates[0] < rates[-1] < 1e-3


def test_biases_norms_and_what_is_called_token_do_not_decay(pretrained):
    runner, _ = pretrained
    groups = runner.optim_wrapper.optimizer.param_groups
    decay = {id(parameter): group['weight_decay'] for group in groups for parameter in group['params']}
    for name, parameter in runner.model.named_parameters():
        published = name.replace('embeddings', 'token_embed').replace('propagations', 'token_prop')
        free = parameter.dim() == 1 or 'token' in published
        assert decay[id(parameter)] == (0 if free else 0.05), name


@pytest.mark.parametrize('name', ['modelnet40_cls', 'modelnet40_fewshot_5way_10shot', 'shapenetpart_seg'])
def test_fine_tuning_decays_what_the_published_code_does(name):
    config = tiny_config(f'{name}.py', '')
    model = MODELS.build(config.model)
    groups = build_optim_wrapper(model, config.optim_wrapper).optimizer.param_groups
    decay = {id(parameter): group['weight_decay'] for group in groups for parameter in group['params']}
    for key, parameter in model.named_parameters():
        free = parameter.dim() == 1 or key.startswith('backbone.embeddings')
        assert decay[id(parameter)] == (0 if free else 0.05), key


def test_linear_probe_stand_alone_gives_the_same_figure(pretrained, tmp_path):
    runner, checkpoint = pretrained
    config = tiny_config('modelnet40_svm.py', tmp_path, write_modelnet40_h5(tmp_path / 'm'))
    tester = Runner.from_cfg(config)
    load_for_test(tester.model, checkpoint)
    assert tester.test()['linear_probe/accuracy'] == score(runner, 'linear_probe/accuracy')


def test_linear_probe_on_scanobjectnn(tmp_path):
    config = tiny_config('../i2p_mae/scanobjectnn_svm.py', tmp_path, write_scanobjectnn(tmp_path / 's'))
    scores = Runner.from_cfg(config).test()
    assert scores['linear_probe/C'] == 0.018 and 0 <= scores['linear_probe/accuracy'] <= 100


def test_classification_from_the_pretrained_encoder_with_votes(pretrained, tmp_path):
    _, checkpoint = pretrained
    config = tiny_config('modelnet40_cls.py', tmp_path / 'work', write_modelnet40(tmp_path / 'm', (4, 2), 300),
                         **{'model.votes': 2, 'model.backbone.init_cfg.checkpoint': str(checkpoint)})
    runner = train(config, resume_to=2)
    assert 0 <= score(runner, 'accuracy/overall') <= 100
    scores = runner.test()
    assert {'accuracy/overall', 'accuracy/class_mean', 'accuracy/voted'} == set(scores)
    assert config.model.head.label_smoothing == 0.3


@pytest.mark.parametrize('name', ['scanobjectnn_objonly_cls', '../i2p_mae/scanobjectnn_pbt50rs_cls'])
def test_scanobjectnn(name, tmp_path):
    config = tiny_config(f'{name}.py', tmp_path / 'work', write_scanobjectnn(tmp_path / 's'))
    sample, pack = config.train_dataloader.dataset.pipeline
    assert sample == dict(type='M2AESamplePoints', num_points=2048)  # all, in another order every time
    assert config.test_dataloader.dataset.pipeline == [pack]
    assert 0 <= score(train(config), 'accuracy/overall') <= 100


def test_fewshot(tmp_path):
    root = write_fewshot(tmp_path / 'f', 10, 20, num_points=110)
    config = tiny_config('modelnet40_fewshot_10way_20shot.py', tmp_path / 'work', root, batch_size=50)
    runner = train(config)
    assert len(runner.train_dataloader.dataset) == 200
    assert 0 <= score(runner, 'accuracy/overall') <= 100


def test_part_segmentation(pretrained, tmp_path):
    _, checkpoint = pretrained
    config = tiny_config('shapenetpart_seg.py', tmp_path / 'work', write_shapenetpart(tmp_path / 'p'), batch_size=2,
                         **{'model.backbone.init_cfg.checkpoint': str(checkpoint)})
    runner = train(config, resume_to=2)
    assert 0 < score(runner, 'part/instance_miou') <= 100
    assert 0 < score(runner, 'part/category_miou') <= 100


@pytest.mark.parametrize('name', ['cad_shapes/cls_ldraw.py', 'labeled_parts_seg.py'])
def test_packs(name, tmp_path):
    runner = train(tiny_config(name, tmp_path / 'work', write_packs(tmp_path / 'data')))
    figure = 'part/instance_miou' if 'parts' in name else 'accuracy/overall'
    assert 0 <= score(runner, figure) <= 100


@pytest.mark.parametrize('name', ['folder_pretrain.py', 'folder_cls.py'])
def test_your_own_folder(name, tmp_path):
    for i in range(24):
        folder = tmp_path / 'own' / 'ab'[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / f'{i}.xyz', shape_points(i, 150 + i))
    config = tiny_config(name, tmp_path / 'work', tmp_path / 'own')
    runner = train(config)
    assert 12 < len(runner.train_dataloader.dataset) <= 24
    assert 0 <= score(runner, 'accuracy/overall' if 'cls' in name else 'reconstruction/chamfer') <= 100


def test_probe_of_your_own_folder(tmp_path):
    for i in range(40):
        folder = tmp_path / 'own' / ('train', 'test')[i % 4 == 3] / 'ab'[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f'{i}.npy', shape_points(i, 150) * (1, 1, 1 if i % 2 else 0.1))
    config = tiny_config('folder_svm.py', tmp_path / 'work', tmp_path / 'own')
    assert 50 < Runner.from_cfg(config).test()['linear_probe/accuracy'] <= 100


def test_probe_of_a_pack(tmp_path):
    config = tiny_config('cad_shapes/svm_sweethome3d.py', tmp_path / 'work', write_packs(tmp_path / 'data'))
    scores = Runner.from_cfg(config).test()
    assert scores['linear_probe/C'] == 1 and 0 <= scores['linear_probe/accuracy'] <= 100


@pytest.mark.parametrize('name', [path.name for path in sorted((CONFIGS / 'cad_shapes').glob('*.py'))])
def test_pack_configs_build_their_data(name, tmp_path):
    config = tiny_config(f'cad_shapes/{name}', tmp_path, write_packs(tmp_path / 'data'))
    for loader in filter(config.get, LOADERS):
        dataset = config[loader].dataset
        if dataset.type == 'M2AEFewShot':
            assert 'ModelNet' not in dataset.data_root
            dataset.update(way=2, shot=2)
            dataset.source.data_root = str(tmp_path / 'data')
        assert len(DATASETS.build(dataset)) > 1


@pytest.mark.parametrize('name, figure', [
    ('pretrain', 'reconstruction/chamfer'), ('pretrain_probe', 'linear_probe/accuracy'), ('cls', 'accuracy/overall'),
    ('fewshot_5way_10shot', 'accuracy/overall')])
def test_shapes_of_the_package_train(name, figure, tmp_path):
    config = tiny_config(f'free_shapes/{name}.py', tmp_path, batch_size=32)
    for loader in ('train_dataloader', 'val_dataloader'):
        if 'source' not in config[loader].dataset:
            config[loader].dataset.indices = 64
    runner = train(config)
    assert len(runner.train_dataloader.dataset) == (50 if 'fewshot' in name else 64)
    assert 0 < score(runner, figure) <= 100


def test_probe_of_the_shapes_of_the_package(tmp_path):
    scores = Runner.from_cfg(tiny_config('free_shapes/svm.py', tmp_path, batch_size=32)).test()
    assert scores['linear_probe/C'] == 1 and 8 < scores['linear_probe/accuracy'] < 60  # the largest class has 5 %


ABLATIONS = sorted(path.name for path in (CONFIGS / 'ablations').glob('*.py'))


def test_every_table_has_ablations():
    assert {name.split('_')[0] for name in ABLATIONS} == {'table7', 'table8', 'table10', 'table11', 'table12'}


@pytest.mark.parametrize('name', ABLATIONS)
def test_ablation_trains(name):
    config = Config.fromfile(CONFIGS / 'ablations' / name)
    shrink_model(config.model)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    data = dict(inputs=dict(points=list(torch.randn(2, 150, 3))),
                data_samples=[Det3DDataSample(gt_label=torch.tensor(i)) for i in range(2)])
    data = model.data_preprocessor(data, True)
    losses = model(**data, mode='loss')
    sum(value for key, value in losses.items() if key.startswith('loss')).backward()
    # The decoder reads no scale finer than its last, so their norms have no use, nor have positions without a block.
    without = [key for key, value in model.named_parameters() if value.grad is None]
    assert all('.norms.' in key or '.position.' in key for key in without)
