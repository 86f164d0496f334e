"""What a config leaves to the data, and weights for other classes."""
import copy
import pickle
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from m2ae_mm.checkpoint import check_start, read_checkpoint
from m2ae_mm.checkpoint.shipped import FOLDER
from m2ae_mm.engine.hooks import M2AEStartHook
from m2ae_mm.engine.own_data import leaves_to_data, take_from_checkpoint, take_from_data
from m2ae_mm.models.shipped import shipped_config
from m2ae_mm.surroundings import find_config
from mmdet3d.registry import MODELS

LOADERS = ('train_dataloader', 'val_dataloader')
CHAIR, LAMP = [0, 0, 0, 1., 2, 3], [0, 0, 0, 3., 2, 1]


@pytest.fixture
def own(tmp_path):
    """The config, and what writes an annotation file for it."""
    config = Config.fromfile(find_config('m2ae_mm::m2ae/own_det.py'))
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.dataset.data_root = str(tmp_path)

    def write(boxes, categories=('chair', 'lamp')):
        content = dict(metainfo=dict(categories={name: label for label, name in enumerate(categories)}), data_list=[
            dict(instances=[dict(bbox_3d=box, bbox_label_3d=label) for label, box in boxes])])
        (tmp_path / 'infos_train.pkl').write_bytes(pickle.dumps(content))

    return config, write


def test_classes_sizes_and_bins_are_those_of_the_training_data(own):
    config, write = own
    write([(0, CHAIR), (0, LAMP), (1, LAMP)])
    assert leaves_to_data(config)
    take_from_data(config, LOADERS)
    head = config.model.bbox_head
    assert (head.num_classes, head.num_angle_bins) == (2, 1) and not leaves_to_data(config)
    assert head.anchor_sizes == [[2, 2, 2], [3, 2, 1]]
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        assert loader.dataset.metainfo.classes == ['chair', 'lamp']
    assert list(config.class_names) == ['chair', 'lamp']


def test_boxes_with_a_yaw_give_bins_unless_the_config_has_some(own):
    config, write = own
    write([(0, [*CHAIR, 0.3])])
    other = copy.deepcopy(config)
    other.model.bbox_head.num_angle_bins = 24
    for each, bins in ((config, 12), (other, 24)):
        take_from_data(each, LOADERS)
        assert each.model.bbox_head.num_angle_bins == bins
        assert each.model.bbox_head.anchor_sizes[1] == CHAIR[3:]  # no lamp: the mean of all


@pytest.mark.parametrize('boxes, categories, message', [
    ([], ('chair', ), r'does not tell the classes .*\(it has no boxes\)'),
    ([(0, 'small')], ('chair', ), 'does not tell the classes')])
def test_annotations_that_tell_nothing(own, boxes, categories, message):
    config, write = own
    write(boxes, categories)
    with pytest.raises(ValueError, match=message):
        take_from_data(config, LOADERS)


def test_data_that_are_not_there(own):
    with pytest.raises(FileNotFoundError, match='there is no .*infos_train.pkl.*m2ae data boxes'):
        take_from_data(own[0], LOADERS)


def checkpoint(path, config, classes):
    model = MODELS.build(copy.deepcopy(config.model))
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=config.pretty_text,
                                                             dataset_meta=dict(classes=classes))), path)
    return path


def test_a_checkpoint_knows_better(own, tmp_path):
    config, write = own
    untouched = copy.deepcopy(config)
    write([(0, [*CHAIR, 0.3])])
    take_from_data(config, LOADERS)
    path = checkpoint(tmp_path / 'a.pth', config, ('chair', 'lamp'))
    assert take_from_checkpoint(untouched, path)
    assert untouched.model.bbox_head == config.model.bbox_head
    assert untouched.test_dataloader.dataset.metainfo.classes == ['chair', 'lamp']
    bare = copy.deepcopy(own[0])
    bare.model.bbox_head.num_classes = None
    torch.save(torch.load(path, weights_only=True)['state_dict'], tmp_path / 'bare.pth')
    assert not take_from_checkpoint(bare, tmp_path / 'bare.pth')


def started(config, classes):
    """The whole state that a model starts with from the shipped detector, the model's own, and what is logged."""
    report = check_start(config)
    model = MODELS.build(copy.deepcopy(config.model))
    logged = []
    runner = SimpleNamespace(model=model, _load_from=config.load_from, logger=SimpleNamespace(info=logged.append),
                             train_dataloader=SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=classes))))
    content = dict(state_dict=read_checkpoint('rooms_det'))
    M2AEStartHook().after_load_checkpoint(runner, content)
    return content['state_dict'], model.state_dict(), [report, *logged]


def test_known_classes_keep_their_outputs_and_the_rest_must_match(own, tmp_path):
    MMLogger.get_instance('m2ae')
    config, write = own
    write([(0, [*CHAIR, 0.3])], ('lamp', 'chair'))
    config.work_dir = str(tmp_path)
    take_from_data(config, LOADERS)
    found, fresh, told = started(config, ('lamp', 'chair'))
    stored, known = read_checkpoint('rooms_det'), shipped_config('rooms_det').metainfo['classes']
    chair = known.index('chair')
    for name in ('bbox_head.point_classes.2.weight', 'bbox_head.box_heads.3.class_logits.2.bias'):
        assert torch.equal(found[name][1], stored[name][chair].to(found[name]))
        assert torch.equal(found[name][0], fresh[name][0])
    bins = 'bbox_head.box_heads.1.angle_logits.2.bias'
    assert torch.equal(found[bins], fresh[bins]) and len(found[bins]) == 12
    assert found.keys() == fresh.keys() and all(found[name].shape == fresh[name].shape for name in fresh)
    same = [name for name in fresh if stored[name].shape == fresh[name].shape]
    assert len(same) == 516 and all(torch.equal(found[name], stored[name]) for name in same)
    assert 'starts from 516 tensors' in told[0]
    assert '24 are of layers with other outputs, which start anew' in told[0] and told[1:] == [
        'classes known to rooms_det, which keep their outputs: chair; classes that start anew: lamp']


def test_as_many_classes_in_another_order_are_not_mistaken(own, tmp_path):
    config, write = own
    known = shipped_config('rooms_det').metainfo['classes']
    classes = tuple(sorted(known, reverse=True))
    write([(0, CHAIR)], classes)
    config.work_dir = str(tmp_path)
    take_from_data(config, LOADERS)
    found, _, _ = started(config, classes)
    stored, name = read_checkpoint('rooms_det'), 'bbox_head.point_classes.2.weight'
    for label, each in enumerate(classes):
        assert torch.equal(found[name][label], stored[name][known.index(each)].to(found[name]))
    size = 'bbox_head.box_heads.1.size.2.weight'
    assert torch.equal(found[size], stored[size])


def test_other_sizes_inside_are_refused(own, tmp_path):
    config, write = own
    write([(0, CHAIR)])
    config.work_dir = str(tmp_path)
    take_from_data(config, LOADERS)
    config.model.bbox_head.feedforward_channels = 64
    with pytest.raises(ValueError, match='tensors that .*rooms_det.safetensors. shares with ThreeDETR have another'):
        check_start(config)
    assert config.load_from == str(FOLDER / 'rooms_det.safetensors')
