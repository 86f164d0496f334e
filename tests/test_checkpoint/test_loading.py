"""Loading reports what happened, and nothing in a file can run code."""
from collections import OrderedDict

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from torch import nn

from m2ae_mm.checkpoint import load_for_test, load_matching, load_pretrained_init, read_checkpoint, write_checkpoint
from mmdet3d.registry import MODELS

ENCODER = dict(type='PointM2AEEncoder', num_centers=[8, 4], num_neighbors=[4, 4], embed_dims=[24, 48], depths=[1, 1],
               radii=None)


@pytest.fixture
def trained(tmp_path):
    model = nn.Sequential(OrderedDict(backbone=nn.Linear(2, 3), head=nn.Linear(3, 1)))
    path = tmp_path / 'trained.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(epoch=3)), path)
    return model, path


def test_part_of_a_model_is_loaded_and_reported(trained, capsys):
    model, path = trained
    MMLogger.get_instance('loading', log_level='INFO')
    part = nn.Module()
    part.weight, part.extra = nn.Parameter(torch.zeros(3, 2)), nn.Parameter(torch.zeros(1))
    load_matching(part, path, prefix='backbone.')
    report = capsys.readouterr()
    report = report.out + report.err
    assert torch.equal(part.weight, model.backbone.weight)
    assert 'loaded 1 tensors' in report
    assert '1 new, initialised at random: extra' in report
    assert '1 in the file but not used: bias' in report


def test_nothing_matching_is_an_error(trained):
    with pytest.raises(ValueError, match=r"nothing in .*trained.pth' fits Linear.*'neck.weight'.*'backbone.weight'"):
        load_matching(nn.Linear(2, 3), trained[1], prefix='neck.')


def test_other_sizes_are_an_error(trained):
    with pytest.raises(ValueError, match=r'weight: \(3, 2\) stored, \(4, 2\) needed'):
        load_matching(nn.Linear(2, 4), trained[1], prefix='backbone.')


def test_evaluation_needs_every_tensor(trained):
    model, path = trained
    load_for_test(model, path)
    with pytest.raises(ValueError, match='backbone.weight is not part of the model'):
        load_for_test(nn.Linear(2, 3), path)


def test_a_part_of_the_weights_is_enough_for_a_model_that_uses_no_more(trained):
    model, path = trained
    model.head = nn.Linear(7, 7)
    model.used_for_test = 'backbone.'
    torch.nn.init.zeros_(model.backbone.weight)
    load_for_test(model, path)
    assert torch.equal(model.backbone.weight, read_checkpoint(path)['backbone.weight'])
    model.backbone = nn.Linear(2, 4)
    with pytest.raises(ValueError, match=r'2 of 2 tensors differ \(backbone.weight is \(3, 2\), the model has'):
        load_for_test(model, path)


def test_evaluation_needs_the_classes_of_training(tmp_path):
    model, path = nn.Linear(2, 3), tmp_path / 'classes.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=('bed', 'chair')))), path)
    load_for_test(model, path, ['bed', 'chair'])
    with pytest.raises(ValueError, match='the classes bed, chair, the test data have bed, table.*metainfo.classes'):
        load_for_test(model, path, ['bed', 'table'])
    with pytest.raises(ValueError, match=r'classes bed, chair, the test data have chair, bed'):
        load_for_test(model, path, ['chair', 'bed'])


def test_init_cfg_slot_may_be_empty(trained):
    layer = nn.Linear(2, 3)
    load_pretrained_init(layer, dict(type='Pretrained', checkpoint=None))
    with pytest.raises(ValueError, match='init_cfg of Linear takes type, checkpoint and prefix, got chekpoint'):
        load_pretrained_init(layer, dict(type='Pretrained', chekpoint='a.pth'))
    load_pretrained_init(layer, None)
    load_pretrained_init(layer, dict(type='Pretrained', checkpoint=str(trained[1]), prefix='backbone.'))
    assert torch.equal(layer.weight, trained[0].backbone.weight)
    with pytest.raises(ValueError, match="'Kaiming'"):
        load_pretrained_init(layer, dict(type='Kaiming'))


def test_safetensors_and_data_parallel_names(tmp_path):
    from safetensors.torch import save_file
    save_file({'module.weight': torch.ones(2)}, tmp_path / 'a.safetensors')
    assert torch.equal(read_checkpoint(tmp_path / 'a.safetensors')['weight'], torch.ones(2))


@pytest.mark.parametrize('name', ['a.pth', 'a.safetensors'])
def test_writing_leaves_the_checkpoint_alone_in_its_folder(tmp_path, name):
    write_checkpoint(dict(weight=torch.ones(2)), tmp_path / 'new' / name)
    assert [path.name for path in (tmp_path / 'new').iterdir()] == [name]
    assert torch.equal(read_checkpoint(tmp_path / 'new' / name)['weight'], torch.ones(2))


def test_settings_that_the_weights_do_not_show_are_told_once(tmp_path, capsys):
    """Of another number of heads the shapes agree, and the results are others."""
    MMLogger.get_instance('settings', log_level='INFO')
    path, models = tmp_path / 'trained.pth', [nn.Module() for _ in range(2)]
    for model, num_heads in zip(models, (6, 3)):
        model.backbone = MODELS.build(dict(ENCODER, num_heads=num_heads))
    text = Config(dict(model=dict(backbone=ENCODER))).pretty_text  # with the default, 6
    torch.save(dict(state_dict=models[0].state_dict(), meta=dict(cfg=text)), path)
    for model, num_heads, count in zip(models, (6, 3), (0, 1)):
        load_for_test(model, path, config=dict(backbone=dict(ENCODER, num_heads=num_heads)))
        told = capsys.readouterr()
        told = told.out + told.err
        assert told.count('test with those of the training: model.backbone.num_heads=3, in training 6') == count


def test_low_rank_matrices_are_no_random_weights(tmp_path, capsys):
    MMLogger.get_instance('low rank', log_level='INFO')
    write_checkpoint(MODELS.build(ENCODER).state_dict(), tmp_path / 'encoder.pth')
    load_matching(MODELS.build(dict(ENCODER, lora=dict(rank=2))), tmp_path / 'encoder.pth')
    told = capsys.readouterr()
    told = told.out + told.err
    # Two layers in each of two blocks, three tensors each.
    assert '12 of low-rank matrices (LoRA), whose products are zero at first: ' in told and 'at random' not in told
