import json

import pytest

from m2ae_mm.cli.plot import pairs, read_curve, read_names


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


def test_names_are_those_of_the_key(tmp_path):
    path = tmp_path / 'names.json'
    path.write_text('{"kicad": ["a", "b"], "ldraw": ["c"]}')
    assert read_names(None, None, 2) == ['0', '1'] and read_names(None, None, 2, ('bed', )) == ['bed', '1']
    assert read_names(str(path), 'kicad', 2) == ['a', 'b']
    with pytest.raises(ValueError, match="has kicad, ldraw; give one of them as --key, got 'nope'"):
        read_names(str(path), 'nope', 1)
    with pytest.raises(ValueError, match='has 1 names, the labels go up to 1'):
        read_names(str(path), 'ldraw', 2)
