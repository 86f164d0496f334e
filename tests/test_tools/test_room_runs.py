"""Trainings on rooms in memory: what a batch holds, what learns how fast, and how boxes are scored."""
import copy

import pytest
import torch
from mmengine.structures import InstanceData

from m2ae_mm.cli.bench.room_runs import PRETRAIN, Schedule, build, in_parts, pretrain, read_config, score_boxes, train
from m2ae_mm.cli.bench.room_sets import Boxes, DetRooms, SegRooms

SMALL = {'model.backbone.num_centers': [24, 12, 6], 'model.backbone.num_neighbors': [4, 4, 4]}
BOX = torch.tensor([[1., -2., 0.5, 2., 0.6, 1.]])


def corners(box):
    signs = torch.cartesian_prod(*3 * [torch.tensor([-0.5, 0.5])])
    return box[:3] + signs * box[3:]


def made_up(count=3):
    generator = torch.Generator().manual_seed(0)
    return DetRooms([torch.rand(400, 3, generator=generator) * 3 for _ in range(count)],
                    [Boxes(BOX, torch.tensor([2])) for _ in range(count)])


@pytest.mark.parametrize('seed', range(3))
def test_boxes_are_the_hull_of_what_was_in_them(seed):
    rooms = DetRooms([corners(BOX[0])], [Boxes(BOX, torch.tensor([4]))])
    data = rooms.batch([0], 8, torch.Generator().manual_seed(seed))
    cloud, sample = data['inputs']['points'][0], data['data_samples'][0].gt_instances_3d
    low, high = cloud.amin(0), cloud.amax(0)
    torch.testing.assert_close(sample.bboxes_3d.gravity_center[0], (low + high) / 2)
    torch.testing.assert_close(sample.bboxes_3d.dims[0], high - low)
    assert sample.labels_3d.tolist() == [4] and not torch.equal(cloud, rooms.points[0])


def test_without_a_generator_points_stay_as_they_are():
    rooms = made_up()
    for room, cloud in zip((2, 0), rooms.batch([2, 0], 100, None)['inputs']['points']):
        assert torch.equal(cloud, rooms.points[room][:100])
    assert len(rooms + rooms) == 6 and len(rooms.first(0.5)) == 2


def test_encoder_learns_as_much_slower_as_the_schedule_says():
    config = read_config(PRETRAIN, SMALL)
    model = build(config, 0, 'cpu')
    before = copy.deepcopy(dict(model.named_parameters()))
    losses = train(model, config, made_up(), Schedule(3, batch=2, points=256, encoder_lr=0.), 0)
    assert len(losses) == 3 and in_parts(losses, 1) == [pytest.approx(sum(losses) / 3)]
    changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert changed and not [name for name in changed if name.startswith('backbone.')]


def test_equal_seeds_give_equal_trainings_whatever_the_labels(tmp_path):
    boxes = made_up()
    points = SegRooms(boxes.points, [torch.zeros(400, dtype=torch.long) for _ in range(3)])
    points.draws = boxes.draws
    schedule = Schedule(2, batch=2, points=256)
    first, second = (pretrain(tmp_path / f'{i}.safetensors', rooms, schedule, 0, SMALL)
                     for i, rooms in enumerate((boxes, points)))
    assert first.read_bytes() == second.read_bytes()
    time = first.stat().st_mtime_ns
    assert pretrain(first, boxes, schedule, 1).stat().st_mtime_ns == time  # made once


@pytest.mark.parametrize('shift, expected', [(0., (100, 100)), (0.8, (100, 0)), (3., (0, 0))])
def test_boxes_are_scored_at_both_overlaps(shift, expected):
    class Shifted(torch.nn.Module):
        """Finds the box moved along its length of 2 m: 0.8 m leave an IoU of 0.43."""

        def forward(self, inputs, data_samples, mode):
            for sample in data_samples:
                truth = sample.gt_instances_3d
                boxes = truth.bboxes_3d.clone()
                boxes.translate([shift, 0, 0])
                sample.pred_instances_3d = InstanceData(bboxes_3d=boxes, labels_3d=truth.labels_3d,
                                                        scores_3d=torch.ones(1))
            return data_samples

    scores = score_boxes(Shifted(), made_up(), points=10)
    assert (scores['AP25'], scores['AP50']) == pytest.approx(expected)
    assert (scores['AR25'], scores['AR50']) == pytest.approx(expected)
