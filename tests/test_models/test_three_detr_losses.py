"""Targets, matching and losses of 3DETR on cases worked out by hand."""
import math
from itertools import permutations

import pytest
import torch
from detections import UNIT, boxes_at, predictions_of
from mmengine.structures import InstanceData

from m2ae_mm.models.heads import box_losses
from m2ae_mm.models.heads.box_targets import BoxTargets, collect_targets
from m2ae_mm.models.heads.detr_matcher import Assignment
from m2ae_mm.models.heads.scene_extent import SceneExtent
from m2ae_mm.models.heads.three_detr_boxes import BoxPredictions
from m2ae_mm.models.heads.three_detr_losses import LOSSES, cardinality_error, gather_loss_inputs
from m2ae_mm.models.heads.three_detr_matcher import HungarianMatcher
from mmdet3d.structures import DepthInstance3DBoxes


def random_case(seed=0, layers=2, batch=2, queries=5, classes=3):
    generator = torch.Generator().manual_seed(seed)
    boxes = torch.rand(layers, batch, queries, 6, generator=generator) + 0.2
    logits = torch.randn(layers, batch, queries, classes + 1, generator=generator)
    instances = []
    for count in (3, 2):
        rows = torch.rand(count, 6, generator=generator) + 0.2
        labels = torch.randint(classes, (count, ), generator=generator)
        instances.append(InstanceData(bboxes_3d=boxes_at(*rows.tolist()), labels_3d=labels))
    extent = SceneExtent(torch.zeros(batch, 3), torch.full((batch, 3), 2.))
    targets = collect_targets(instances, classes, boxes.device, rotated=False)
    return predictions_of(boxes, logits, extent=extent), targets, extent


# --- targets


def test_targets_use_gravity_centres_and_pad_with_a_harmless_box():
    instances = [
        InstanceData(bboxes_3d=boxes_at([1, 2, 3, 2, 2, 4]), labels_3d=torch.tensor([1])),
        InstanceData(bboxes_3d=boxes_at(), labels_3d=torch.zeros(0, dtype=torch.long)),
    ]
    targets = collect_targets(instances, 2, torch.device('cpu'), rotated=False)
    assert targets.counts == [1, 0]
    assert targets.boxes[0].tolist() == [[1, 2, 3, 2, 2, 4, 0]]
    assert targets.boxes[1].tolist() == [[0, 0, 0, 1, 1, 1, 0]]


def test_boxes_of_classes_left_out_are_no_targets():
    boxes = boxes_at([1, 2, 3, 2, 2, 4], [4, 5, 6, 1, 1, 1])
    instance = InstanceData(bboxes_3d=boxes, labels_3d=torch.tensor([-1, 1]))
    targets = collect_targets([instance], 2, torch.device('cpu'), rotated=False)
    assert targets.counts == [1] and targets.boxes.tolist() == [[[4, 5, 6, 1, 1, 1, 0]]]
    assert targets.labels.tolist() == [[1]]


@pytest.mark.parametrize('label', [3, 7])
def test_label_outside_the_classes_is_named(label):
    instance = InstanceData(bboxes_3d=boxes_at([1, 2, 3, 2, 2, 4]), labels_3d=torch.tensor([label]))
    with pytest.raises(ValueError, match=rf'label {label} is outside \[0, 3\)'):
        collect_targets([instance], 3, torch.device('cpu'), rotated=False)


@pytest.mark.parametrize('yaw', [math.pi / 2, -0.3, 3.5])
@pytest.mark.parametrize('rotated, with_yaw, advice', [
    (False, True, 'num_angle_bins of the head to 12, as for SUN RGB-D; or .*M2AEAxisAlignedBoxes'),
    (False, False, 'num_angle_bins .* and .*M2AESceneDataset, .*; or .*M2AEAxisAlignedBoxes'),
    (True, False, 'type to M2AESceneDataset')])
def test_yaw_that_would_be_lost_is_refused(yaw, rotated, with_yaw, advice):
    boxes = DepthInstance3DBoxes(torch.tensor([[0, 0, 0, 1, 1, 1, 0], [2, 2, 1, 3, .3, 1, yaw]]), with_yaw=with_yaw)
    instance = InstanceData(bboxes_3d=boxes, labels_3d=torch.tensor([0, 0]))
    with pytest.raises(ValueError, match=rf'yaw of {yaw:.2f} rad.*{advice}'):
        collect_targets([instance], 1, torch.device('cpu'), rotated=rotated)


def test_half_turns_and_boxes_without_a_class_need_no_angle_bins():
    # Flipped by mmdet3d, a box of yaw 0 has half a turn; the last box has a class that is not named.
    boxes = torch.tensor([[0, 0, 0, 1, 1, 1, math.pi], [1, 1, 0, 2, 1, 1, -math.pi], [2, 2, 0, 2, 1, 1, 0.5]])
    instance = InstanceData(bboxes_3d=DepthInstance3DBoxes(boxes), labels_3d=torch.tensor([0, 0, -1]))
    assert collect_targets([instance], 1, torch.device('cpu'), rotated=False).counts == [2]
    # A scene without boxes has none with a yaw.
    empty = InstanceData(bboxes_3d=boxes_at(), labels_3d=torch.zeros(0, dtype=torch.long))
    turned = InstanceData(bboxes_3d=instance.bboxes_3d[2], labels_3d=torch.tensor([0]))
    kept = collect_targets([empty, turned], 1, torch.device('cpu'), rotated=True)
    assert kept.boxes[1, 0, 6] == 0.5


# --- matcher


def test_costs_by_hand():
    predictions = predictions_of([[[[0., 0, 0, 2, 2, 2], [5., 0, 0, 2, 2, 2]]]], [[[[0., 0], [math.log(3), 0]]]])
    targets = BoxTargets(torch.tensor([[[1., 0, 0, 2, 2, 2, 0]]]), torch.zeros(1, 1, dtype=torch.long), [1])
    matcher = HungarianMatcher(False, cost_class=1, cost_giou=2, cost_center=3, cost_objectness=4)
    costs = matcher.costs(predictions, targets, UNIT).flatten()
    # Query 0: overlap 4 of union 12, hull 12. Query 1: no overlap, union 16, hull 6 x 2 x 2 = 24.
    first = -0.5 - 2 * (1 / 3) + 3 * 1 - 4 * 0.5
    second = -0.75 - 2 * (0 - 8 / 24) + 3 * 4 - 4 * 0.75
    torch.testing.assert_close(costs, torch.tensor([first, second]))


@pytest.mark.parametrize('seed', range(5))
def test_matching_is_the_best_of_all_permutations(seed):
    predictions, targets, extent = random_case(seed)
    matcher = HungarianMatcher(False, cost_center=0.7, cost_objectness=0.3)
    assignment = matcher(predictions, targets, extent)
    costs = matcher.costs(predictions, targets, extent).numpy()
    for layer in range(2):
        for cloud, count in enumerate(targets.counts):
            best = min(permutations(range(5), count),
                       key=lambda chosen, cost=costs[layer, cloud]: sum(cost[q, g] for g, q in enumerate(chosen)))
            expected = {query: box for box, query in enumerate(best)}
            matched = assignment.matched[layer, cloud].nonzero().flatten().tolist()
            assert {q: assignment.gt_index[layer, cloud, q].item() for q in matched} == expected


def test_more_boxes_than_queries_matches_every_query():
    predictions, _, _ = random_case(queries=1)
    _, targets, extent = random_case()
    assignment = HungarianMatcher(False)(predictions, targets, extent)
    assert assignment.matched.all()


@pytest.mark.parametrize('name,factor', [('class_logits', math.nan), ('normalized_centers', math.inf)])
def test_diverged_predictions_are_named(name, factor):
    predictions, targets, extent = random_case()
    with pytest.raises(FloatingPointError, match='diverged'):
        HungarianMatcher(False, cost_center=1.)(
            predictions._replace(**{name: getattr(predictions, name) * factor}), targets, extent)


# --- losses


def test_losses_by_hand():
    """One box, two queries, the second one matched."""
    extent = SceneExtent(torch.zeros(1, 3), torch.full((1, 3), 4.))
    predictions = predictions_of([[[[3., 3, 3, 1, 1, 1], [0., 0, 0, 2, 2, 2]]]], [[[[1., 0], [0., math.log(3)]]]],
                                 extent=extent)
    predictions = predictions._replace(angle_residuals=torch.tensor([0.9, 0.4]).view(1, 1, 2, 1))
    targets = BoxTargets(torch.tensor([[[1., 0, 0, 2, 2, 4, 0]]]), torch.zeros(1, 1, dtype=torch.long), [1])
    assignment = Assignment(torch.zeros(1, 1, 2, dtype=torch.long), torch.tensor([[[False, True]]]))
    inputs = gather_loss_inputs(predictions, targets, assignment, extent, no_object_weight=0.25)
    losses = {name: loss(inputs).item() for name, loss in LOSSES.items()}
    unmatched, matched = math.log(1 + math.e), math.log(4)
    assert losses['loss_sem_cls'] == pytest.approx((0.25 * unmatched + matched) / 1.25)
    assert losses['loss_center'] == pytest.approx(1 / 4)
    assert losses['loss_size'] == pytest.approx(2 / 4)
    # Overlap 1 x 2 x 2, union 8 + 16 - 4, hull 3 x 2 x 4.
    assert losses['loss_giou'] == pytest.approx(1 - (4 / 20 - 4 / 24))
    assert losses['loss_angle_cls'] == 0
    assert losses['loss_angle_reg'] == pytest.approx(0.4**2 / 2)
    # Query 0 says object, query 1 says no object: one predicted, one there.
    assert cardinality_error(inputs).item() == 0


def test_boxes_too_many_in_one_cloud_do_not_make_up_for_those_missing_in_another():
    predictions, targets, extent = random_case()
    logits = torch.zeros_like(predictions.class_logits)
    logits[:, 0, :, 0] = logits[:, 1, :, -1] = 1  # five of three found, none of two
    predictions = predictions._replace(class_logits=logits)
    assignment = HungarianMatcher(False)(predictions, targets, extent)
    inputs = gather_loss_inputs(predictions, targets, assignment, extent, 0.25)
    assert cardinality_error(inputs).tolist() == [2, 2]


def test_losses_of_all_layers_equal_those_of_each_layer_alone():
    predictions, targets, extent = random_case()
    assignment = HungarianMatcher(False)(predictions, targets, extent)
    together = gather_loss_inputs(predictions, targets, assignment, extent, 0.25)
    for layer in range(2):
        alone = BoxPredictions(*(value[layer:layer + 1] for value in predictions))
        part = Assignment(*(value[layer:layer + 1] for value in assignment))
        inputs = gather_loss_inputs(alone, targets, part, extent, 0.25)
        for loss in LOSSES.values():
            torch.testing.assert_close(loss(inputs)[0], loss(together)[layer])


def test_boxes_are_counted_over_all_processes(monkeypatch):
    """Another process without boxes halves the mean count, which doubles box losses and leaves the class loss."""
    predictions, targets, extent = random_case()
    assignment = HungarianMatcher(False)(predictions, targets, extent)
    alone = gather_loss_inputs(predictions, targets, assignment, extent, 0.25)

    def mean_with_an_empty_process(value, op):
        assert op == 'mean'
        value /= 2

    monkeypatch.setattr(box_losses, 'all_reduce', mean_with_an_empty_process)
    shared = gather_loss_inputs(predictions, targets, assignment, extent, 0.25)
    assert alone.num_boxes == 5 and shared.num_boxes == 2.5
    torch.testing.assert_close(LOSSES['loss_center'](shared), 2 * LOSSES['loss_center'](alone))
    torch.testing.assert_close(LOSSES['loss_sem_cls'](shared), LOSSES['loss_sem_cls'](alone))
    assert shared.counts.tolist() == [3, 2]


def test_without_ground_truth_only_classification_remains():
    predictions, _, extent = random_case()
    predictions = BoxPredictions(*(value.clone().requires_grad_() for value in predictions))
    empty = InstanceData(bboxes_3d=boxes_at(), labels_3d=torch.zeros(0, dtype=torch.long))
    targets = collect_targets([empty, empty], 3, torch.device('cpu'), rotated=False)
    assignment = HungarianMatcher(False)(predictions, targets, extent)
    assert not assignment.matched.any()
    inputs = gather_loss_inputs(predictions, targets, assignment, extent, 0.25)
    losses = {name: loss(inputs) for name, loss in LOSSES.items()}
    for name, value in losses.items():
        assert (value > 0).all() if name == 'loss_sem_cls' else (value == 0).all()
    sum(value.sum() for value in losses.values()).backward()
    assert all(value.grad is None or value.grad.isfinite().all() for value in predictions)


# --- rotated boxes


def rotated_case(yaw, residuals=0.):
    """One query on one box, unit squares of height 1 at the same place, the box turned by ``yaw``."""
    predictions = predictions_of([[[[0., 0, 0, 1, 1, 1]]]], [[[[5., 0]]]], num_bins=12)
    predictions = predictions._replace(
        angle_logits=predictions.angle_logits + torch.arange(12.),
        angle_residuals=predictions.angle_residuals + residuals)
    targets = BoxTargets(torch.tensor([[[0., 0, 0, 1, 1, 1, yaw]]]), torch.zeros(1, 1, dtype=torch.long), [1])
    matcher = HungarianMatcher(rotated=True, cost_class=0.)
    assignment = matcher(predictions, targets, UNIT)
    inputs = gather_loss_inputs(predictions, targets, assignment, UNIT, 0.25)
    losses = {name: loss(inputs).item() for name, loss in LOSSES.items()}
    return matcher.costs(predictions, targets, UNIT).item(), losses


def test_rotated_losses_by_hand():
    cost, losses = rotated_case(math.pi / 4, residuals=0.25)
    # Two unit squares at 45 degrees share a regular octagon of area 2 sqrt(2) - 2 in a hull of area 2.
    shared = 2 * math.sqrt(2) - 2
    giou = shared / (2 - shared) - shared / 2
    assert losses['loss_giou'] == pytest.approx(1 - giou, abs=1e-5)
    assert cost == pytest.approx(-2 * giou, abs=1e-5)
    # The edge of bins 1 and 2 rounds to either; its residual is one half bin.
    assert losses['loss_angle_reg'] in (pytest.approx(0.75**2 / 2, abs=1e-4), pytest.approx(1.25 - 0.5, abs=1e-4))
    _, losses = rotated_case(math.radians(70), residuals=0.25)
    log_sum = torch.arange(12.).logsumexp(0).item()
    assert losses['loss_angle_cls'] == pytest.approx(log_sum - 2)
    assert losses['loss_angle_reg'] == pytest.approx((10 / 15 - 0.25)**2 / 2, abs=1e-5)
