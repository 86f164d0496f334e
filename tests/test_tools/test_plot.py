import json

import numpy as np
import pytest
from PIL import Image

from m2ae_mm.cli.plot import main, pairs, parse_args, read_curve
from m2ae_mm.cli.plot_features import read_names, spread_over_classes


def write_log(folder, run, records):
    path = folder / run / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(json.dumps(record) for record in records))


def test_a_curve_averages_epochs_and_goes_on_in_a_resumed_log(tmp_path):
    write_log(tmp_path, '20260101_000000', [dict(loss=4., epoch=1, step=10), dict(loss=2., epoch=1, step=20),
                                            dict(accuracy=50., step=1)])
    write_log(tmp_path, '20260102_000000', [dict(loss=1., epoch=2, step=30)])
    assert read_curve(str(tmp_path), 'loss') == [(1, 3.), (2, 1.)]
    assert read_curve(str(tmp_path), 'accuracy') == [(1, 50.)]


def test_an_unknown_metric_is_answered_with_the_known_ones(tmp_path):
    write_log(tmp_path, 'a', [dict(loss=4., epoch=1, step=10)])
    with pytest.raises(ValueError, match="have no 'acc'; they have epoch, loss, step"):
        read_curve(str(tmp_path), 'acc')
    with pytest.raises(FileNotFoundError, match='holds no log of a training'):
        read_curve(str(tmp_path / 'none'), 'loss')


def test_pairs_need_a_title():
    assert pairs(['a=b=c']) == {'a': 'b=c'}
    with pytest.raises(ValueError, match="expected TITLE=VALUE, got 'work_dirs'"):
        pairs(['work_dirs'])


def test_folds_are_drawn_beside_each_other_with_their_means(tmp_path, capsys):
    for name, folds in (('scratch', {'0': 60., '1': 70.}), ('none', {})):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'folds.json').write_text(json.dumps(folds))
    out = tmp_path / 'folds.svg'
    scratch = tmp_path / 'scratch'
    main(parse_args(['folds', f'from scratch={scratch}', f'again={scratch}', '--out', str(out)]))
    assert capsys.readouterr().out.strip() == str(out) and 'again, mean 65.0 %' in out.read_text()
    with pytest.raises(ValueError, match="'b' has no fold that is done"):
        main(parse_args(['folds', f'b={tmp_path / "none"}', '--out', str(out)]))


@pytest.mark.parametrize('options', [['curves'], ['folds', '--metric', 'loss']])
def test_a_metric_belongs_to_curves(options, capsys):
    with pytest.raises(SystemExit):
        parse_args([*options, 'a=b', '--out', 'a.png'])
    assert 'curves need --metric, folds have none' in capsys.readouterr().err


def test_names_are_those_of_the_key(tmp_path):
    path = tmp_path / 'names.json'
    path.write_text('{"kicad": ["a", "b"], "ldraw": ["c"]}')
    assert read_names(None, None, 2) == ['0', '1'] and read_names(None, None, 2, ('bed', )) == ['bed', '1']
    assert read_names(str(path), 'kicad', 2) == ['a', 'b']
    with pytest.raises(ValueError, match="has kicad, ldraw; give one of them as --key, got 'nope'"):
        read_names(str(path), 'nope', 1)
    with pytest.raises(ValueError, match='has 1 names, the labels go up to 1'):
        read_names(str(path), 'ldraw', 2)


def test_shown_shapes_are_of_as_many_classes_as_there_are():
    labels = np.repeat([3, 1, 7, 0], [20, 5, 1, 1])
    assert sorted(labels[spread_over_classes(labels, 4, 0)].tolist()) == [0, 1, 3, 7]
    ten = spread_over_classes(labels, 10, 0)
    assert len(set(ten)) == 10 and np.bincount(labels[ten]).tolist() == [1, 4, 0, 4, 0, 0, 0, 1]
    assert labels[ten].tolist() == sorted(labels[ten])
    assert len(spread_over_classes(labels[:3], 10, 0)) == 3
    assert spread_over_classes(labels, 4, 1) != spread_over_classes(labels, 4, 0)


def write_shapes(folder):
    """Flat, long and round shapes, six for training and two for testing of each, under names of their own."""
    rng, sizes = np.random.default_rng(0), [(1, 1, 0.05), (1, 0.1, 0.1), (0.7, 0.7, 0.7)]
    label = np.tile([0, 1, 2], 8)
    points = rng.normal(size=(24, 1024, 3))
    points = points / np.linalg.norm(points, axis=2, keepdims=True) * np.array(sizes)[label][:, None]
    np.savez(folder / 'a.npz', points=points, label=label, split=np.repeat([0, 1], [18, 6]))
    (folder / 'classes.json').write_text('{"classes": ["plate", "stick", "ball"]}')


def test_neighbours_of_shapes_that_differ_have_their_class(tmp_path, capsys):
    write_shapes(tmp_path)
    main(parse_args(['neighbours', 'm2ae_mm::m2ae/free_shapes/svm.py', 'shapes_small', '--data', str(tmp_path), '--out',
                     str(tmp_path / 'near.png'), '--work-dir', str(tmp_path / 'work'), '--cfg-options',
                     'test_dataloader.num_workers=0']))
    told = capsys.readouterr().out
    assert 'Of 6 test shapes' in told and 'for 100.0 %; so have 100.0 % of the 5' in told
    assert (tmp_path / 'near.html').read_text().count('ball') >= 6
    assert Image.open(tmp_path / 'near.png').height > 1000  # six rows


def test_neighbours_are_a_png(tmp_path):
    with pytest.raises(ValueError, match=r"--out must end in .png, got 'a.html'"):
        main(parse_args(['neighbours', 'a.py', 'random', '--out', 'a.html']))


def test_a_map_of_features_tells_its_file_only(tmp_path, capsys):
    write_shapes(tmp_path)
    out = tmp_path / 'map.png'
    main(parse_args(['tsne', 'm2ae_mm::m2ae/free_shapes/svm.py', 'untrained=random', 'pre-trained=shapes_small',
                     '--data', str(tmp_path), '--out', str(out), '--work-dir', str(tmp_path / 'work'), '--cfg-options',
                     'test_dataloader.num_workers=0']))
    told = capsys.readouterr()
    assert 'init_weights' not in told.out + told.err and told.out.splitlines()[-1] == str(out)
    assert Image.open(out).width > Image.open(out).height
