"""Ways to tune an encoder, compared on composed rooms: rows, their steps and the table, on tiny numbers."""
import copy
import json

import numpy as np
import pytest
import torch
from seg_scenes import labelled_room

from m2ae_mm.cli.bench import room_runs
from m2ae_mm.cli.bench.room_runs import SEGMENT, Schedule, confusion, read_config, train_segmentor
from m2ae_mm.cli.bench.room_sets import CLASSES, SegRooms
from m2ae_mm.cli.seg_benchmark import main, parse_args

SMALL = ['model.backbone.num_centers=[24,12,6]', 'model.backbone.num_neighbors=[4,4,4]']


def test_rows_are_trained_once_and_tabulated(tmp_path, capsys):
    args = parse_args(['--out', str(tmp_path), '--train', '2', '--val', '1', '--steps', '2', '--pretrain-steps', '2',
                       '--batch-size', '2', '--points', '256', '--seeds', '1', '--labels', '1', '0.5', '--rows',
                       'scratch-decoder', 'pretrained-linear', '--cfg-options', *SMALL])
    main(args)
    lines = capsys.readouterr().out.splitlines()
    table = {tuple(line.split()[:2]): line.split()[-1] for line in lines if line.startswith(('scratch', 'pretrained-'))
             and '%' in line and 'mIoU' not in line}
    assert set(table) == {(row, share) for row in args.rows for share in ('100%', '50%')}
    # One layer on the tokens of all scales; the decoder and its head learn more.
    linear = 20 * (32 + 64 + 128) + 20
    assert table['pretrained-linear', '100%'] == f'{linear:,}'
    assert int(table['scratch-decoder', '50%'].replace(',', '')) > linear
    result = json.loads((tmp_path / 'results' / 'pretrained-linear_0.5_0.json').read_text())
    assert 0 <= result['miou'] <= result['acc'] <= 1 and result['iou'].keys() == set(CLASSES)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*.json')}
    main(args)
    assert capsys.readouterr().out.splitlines()[-1] == lines[-1]
    assert all(path.stat().st_mtime_ns == time for path, time in times.items() if 'results' in str(path))
    with pytest.raises(ValueError, match='steps is 2 there, 3 now'):
        main(parse_args(['--out', str(tmp_path), '--steps', '3', '--train', '2', '--val', '1', '--pretrain-steps', '2',
                         '--batch-size', '2', '--points', '256', '--cfg-options', *args.cfg_options]))


def test_batches_are_labelled_subsets_flipped_turned_and_scaled():
    xyz = torch.rand(50, 3) * torch.tensor([3., 2., 1.])
    rooms = SegRooms([xyz, xyz[:10]], [torch.arange(50), torch.arange(10)])
    data = rooms.batch([0, 1, 0], 20, torch.Generator().manual_seed(0))
    for cloud, sample, room in zip(data['inputs']['points'], data['data_samples'], (0, 1, 0)):
        labels = sample.gt_pts_seg.pts_semantic_mask
        assert len(labels.unique()) == min(20, len(rooms.points[room]))
        before = rooms.points[room][labels]
        scale = (cloud.norm(dim=1) / before.norm(dim=1)).unique()
        assert scale.max() - scale.min() < 1e-5 and 0.9 <= scale.mean() <= 1.1
        torch.testing.assert_close(cloud[:, 2], before[:, 2] * scale.mean(), rtol=1e-4, atol=1e-5)
    assert len(rooms.first(0.5).points) == 1 == len(rooms.first(0.01).points)


def test_points_are_counted_by_class_and_those_without_are_not():
    class Constant(torch.nn.Module):
        def inference(self, points, *_):
            logits = torch.zeros(1, len(CLASSES), points.shape[1])
            logits[:, 3] = 1
            return logits

    matrix = confusion(Constant(), SegRooms([torch.rand(4, 3)], [torch.tensor([3, 1, 20, 3])]))
    expected = np.zeros((20, 20))
    expected[3, 3], expected[1, 3] = 2, 1
    assert (matrix == expected).all()


def made_up(seeds):
    """Rooms with a floor, a wall and a cube, which here are the first three classes."""
    rooms = [labelled_room(seed) for seed in seeds]
    return SegRooms([torch.from_numpy(points[:, :3]) for points, _ in rooms],
                    [torch.from_numpy(labels) for _, labels in rooms])


@pytest.mark.parametrize('mode, accuracy, miou', [('linear', 0.9, 0.81), ('decoder', 0.82, 0.69)])
def test_probes_reach_their_figures_on_an_encoder_that_stays_as_it_is(mode, accuracy, miou, monkeypatch):
    built = []

    def build(*args):
        model = original(*args)
        built.append((model, copy.deepcopy(model.state_dict())))
        return model

    original = room_runs.build
    monkeypatch.setattr(room_runs, 'build', build)
    config = read_config(SEGMENT, {'model.backbone.num_centers': [64, 24, 8],
                                   'model.backbone.num_neighbors': [8, 4, 4]})
    result = train_segmentor(config, mode, None, made_up(range(8)), made_up(range(20, 23)),
                             Schedule(40, batch=4, points=256), seed=0)
    # As measured; chance is 0.33 and 0.2.
    assert (result['acc'], result['miou']) == (pytest.approx(accuracy, abs=0.05), pytest.approx(miou, abs=0.07))
    (model, before), = built
    after = model.state_dict()
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert {name.partition('.')[0] for name in moved} == (
        {'decode_head'} if mode == 'linear' else {'neck', 'decode_head'})
    statistics = [name for name in after if name.endswith('running_mean')]
    assert any(name.startswith('backbone.') for name in statistics)
    assert all(name in moved for name in statistics if not name.startswith('backbone.'))
