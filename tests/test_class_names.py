"""Names of classes are lists, wherever they are given."""
import numpy as np
import pytest

from m2ae_mm.class_names import as_option, check_class_names
from m2ae_mm.cli.option_values import parse_option
from m2ae_mm.datasets import M2AEFewShot, M2AEFolder, M2AEShapesNpz
from m2ae_mm.evaluation import M2AEIndoorMetric, M2AEPartIoU
from m2ae_mm.visualization.visualizer import _class_names

STRING = 'must be a list or tuple of names, got the string '


@pytest.mark.parametrize('names, message', [
    (('crate'), f"{STRING}'crate'.*is .'crate', .*classes=.*crate"), ('[chair,table]', STRING),
    ({'a', 'b'}, '.*in the order'), ([0, 1], r'.*got \[0, 1\]'), (3, '.*got 3'), (dict(a=0), '.*got .*a'),
    (['a', 'b', 'a'], 'lists a more than once')])
def test_what_is_no_list_of_names(names, message):
    with pytest.raises(ValueError, match=f'^classes {message}'):
        check_class_names(names, 'classes')


def test_lists_and_tuples_pass():
    assert check_class_names(['a', 'b c'], 'classes') == check_class_names(('a', 'b c'), 'classes') == ('a', 'b c')


def test_names_survive_the_command_line():
    names = ['chair', 'dining table', 'tables, low', 'shelf (old)', ' x ', "cat's"]
    option = as_option(names)
    assert option.startswith('"[chair,dining table,') and parse_option(f'classes={option[1:-1]}', {})[1] == names


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'crate').mkdir()
    np.save(tmp_path / 'crate' / '0.npy', np.zeros((40, 3), np.float32))
    return str(tmp_path)


@pytest.mark.parametrize('build', [
    lambda folder: M2AEFolder(folder, classes='crate'),
    lambda folder: M2AEFolder(folder, metainfo=dict(classes='crate')),
    lambda folder: M2AEShapesNpz(folder, files=['a.npz'], metainfo=dict(classes=('crate'))),
    lambda folder: M2AEFewShot(folder, metainfo=dict(classes='crate')),
    lambda folder: M2AEFewShot(f'{folder}/none', source=dict(type='M2AEFolder', data_root=folder, classes='crate')),
])
def test_data_sets_take_lists_only(folder, build):
    with pytest.raises(ValueError, match=f"classes {STRING}'crate'"):
        build(folder)


def test_metrics_take_lists_only():
    metric = M2AEIndoorMetric()
    metric.dataset_meta = dict(classes='crate')
    with pytest.raises(ValueError, match=STRING):
        metric.compute_metrics([])
    parts = M2AEPartIoU()
    parts.dataset_meta = dict(parts='lamp')
    with pytest.raises(ValueError, match="metainfo.parts .* got 'lamp'"):
        parts.process({}, [dict(gt_label=0, gt_pts_seg={}, pts_seg_logits={})])


def test_the_visualizer_takes_lists_only():
    with pytest.raises(ValueError, match=STRING):
        _class_names(dict(classes='crate'))
