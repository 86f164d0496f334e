"""Matching, losses, suppression and detections of 3DETR on cases worked out by hand."""
import math
from itertools import permutations

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from m2ae_mm.models.heads.three_detr_boxes import BoxPredictions, SceneExtent, decode_boxes, decode_yaw, encode_yaw
from m2ae_mm.models.heads.three_detr_losses import LOSSES, cardinality_error, gather_loss_inputs
from m2ae_mm.models.heads.three_detr_matcher import Assignment, HungarianMatcher
from m2ae_mm.models.heads.three_detr_postprocess import DetectionConfig, class_wise_nms, detect
from m2ae_mm.models.heads.three_detr_targets import BoxTargets, collect_targets
from mmdet3d.structures import DepthInstance3DBoxes

UNIT = SceneExtent(torch.zeros(1, 3), torch.ones(1, 3))


def boxes_at(*rows):
    """mmdet3d boxes from rows of gravity centre and size."""
    tensor = torch.tensor(rows, dtype=torch.float32).view(-1, 6)
    return DepthInstance3DBoxes(tensor, box_dim=6, with_yaw=False, origin=(0.5, 0.5, 0.5))


def predictions_of(boxes, logits, num_bins=1, extent=UNIT):
    """Predictions with given ``(L, B, Q, 6)`` boxes and class logits."""
    boxes, logits = torch.as_tensor(boxes).float(), torch.as_tensor(logits).float()
    angles = torch.zeros(*boxes.shape[:3], num_bins)
    return BoxPredictions(logits, boxes[..., :3], boxes[..., 3:6], extent.normalize(boxes[..., :3]),
                          boxes[..., 3:6] / extent.size.unsqueeze(1), angles, angles, angles[..., 0])


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
    return predictions_of(boxes, logits, extent=extent), collect_targets(instances, classes, boxes.device), extent


# --- extent and angles


def test_extent_normalizes_corners_to_zero_and_one_and_survives_flat_clouds():
    points = torch.tensor([[[1., 2., 3.], [3., 6., 3.]]])
    extent = SceneExtent.of(points)
    assert extent.minimum.tolist() == [[1, 2, 3]]
    torch.testing.assert_close(extent.size, torch.tensor([[2., 4., 0.1]]))
    torch.testing.assert_close(extent.normalize(torch.tensor([[[2., 3., 3.05]]])), torch.tensor([[[0.5, 0.25, 0.5]]]))


def test_decoding_offsets_queries_by_at_most_half_a_metre_and_scales_sizes():
    extent = SceneExtent(torch.tensor([[1., 1., 1.]]), torch.tensor([[4., 2., 1.]]))
    raw = {name: torch.zeros(1, 1, 1, n) for name, n in
           dict(class_logits=3, center=3, size=3, angle_logits=1, angle_residuals=1).items()}
    raw['center'][..., 0], raw['center'][..., 1] = 100, -100
    result = decode_boxes(raw, torch.tensor([[[2., 2., 2.]]]), extent)
    torch.testing.assert_close(result.centers.flatten(), torch.tensor([2.5, 1.5, 2.]))
    torch.testing.assert_close(result.sizes.flatten(), torch.tensor([2., 1., 0.5]))
    torch.testing.assert_close(result.normalized_centers.flatten(), torch.tensor([0.375, 0.25, 1.]))
    assert result.yaws.item() == 0
    torch.testing.assert_close(result.objectness.item(), 2 / 3)


@pytest.mark.parametrize('degrees,expected_bin,expected_residual',
                         [(0, 0, 0.), (10, 0, 10 / 15), (20, 1, -10 / 15), (-10, 0, -10 / 15), (-30, 11, 0.),
                          (180, 6, 0.), (350, 0, -10 / 15), (720 + 50, 2, -10 / 15)])
def test_yaw_bins(degrees, expected_bin, expected_residual):
    bins, residual = encode_yaw(torch.tensor(math.radians(degrees), dtype=torch.float64), 12)
    assert bins == expected_bin
    assert residual.item() == pytest.approx(expected_residual, abs=1e-6)


def test_yaw_round_trip():
    yaws = torch.linspace(-3.1, 3.1, 101)
    bins, residuals = encode_yaw(yaws, 12)
    logits = torch.nn.functional.one_hot(bins, 12).float()
    decoded = decode_yaw(logits, residuals.unsqueeze(-1).expand(-1, 12))
    torch.testing.assert_close(decoded, yaws, rtol=0, atol=1e-5)


def test_one_bin_means_axis_aligned():
    bins, residuals = encode_yaw(torch.tensor([0.3, -2.]), 1)
    assert bins.tolist() == [0, 0] and residuals.tolist() == [0, 0]
    assert decode_yaw(torch.ones(2, 1), torch.ones(2, 1)).tolist() == [0, 0]


# --- targets


def test_targets_use_gravity_centres_and_pad_with_a_harmless_box():
    instances = [
        InstanceData(bboxes_3d=boxes_at([1, 2, 3, 2, 2, 4]), labels_3d=torch.tensor([1])),
        InstanceData(bboxes_3d=boxes_at(), labels_3d=torch.zeros(0, dtype=torch.long)),
    ]
    targets = collect_targets(instances, 2, torch.device('cpu'))
    assert targets.counts == [1, 0]
    assert targets.boxes[0].tolist() == [[1, 2, 3, 2, 2, 4, 0]]
    assert targets.boxes[1].tolist() == [[0, 0, 0, 1, 1, 1, 0]]


def test_label_outside_the_classes_is_named():
    instance = InstanceData(bboxes_3d=boxes_at([1, 2, 3, 2, 2, 4]), labels_3d=torch.tensor([7]))
    with pytest.raises(ValueError, match=r'label 7 is outside \[0, 3\)'):
        collect_targets([instance], 3, torch.device('cpu'))


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


def test_diverged_predictions_are_named():
    predictions, targets, extent = random_case()
    with pytest.raises(FloatingPointError, match='diverged'):
        HungarianMatcher(False)(predictions._replace(class_logits=predictions.class_logits * math.nan), targets, extent)


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


def test_without_ground_truth_only_classification_remains():
    predictions, _, extent = random_case()
    predictions = BoxPredictions(*(value.clone().requires_grad_() for value in predictions))
    empty = InstanceData(bboxes_3d=boxes_at(), labels_3d=torch.zeros(0, dtype=torch.long))
    targets = collect_targets([empty, empty], 3, torch.device('cpu'))
    assignment = HungarianMatcher(False)(predictions, targets, extent)
    assert not assignment.matched.any()
    inputs = gather_loss_inputs(predictions, targets, assignment, extent, 0.25)
    losses = {name: loss(inputs) for name, loss in LOSSES.items()}
    for name, value in losses.items():
        assert (value > 0).all() if name == 'loss_sem_cls' else (value == 0).all()
    sum(value.sum() for value in losses.values()).backward()
    assert all(value.grad is None or value.grad.isfinite().all() for value in predictions)


# --- suppression and detections


def greedy(boxes, scores, labels, candidates, threshold):
    """Class-wise greedy suppression as a plain loop over axis-aligned boxes."""
    kept = []
    for i in sorted(np.nonzero(candidates)[0], key=lambda i: -scores[i]):
        for j in kept:
            low = np.maximum(boxes[i, :3] - boxes[i, 3:6] / 2, boxes[j, :3] - boxes[j, 3:6] / 2)
            high = np.minimum(boxes[i, :3] + boxes[i, 3:6] / 2, boxes[j, :3] + boxes[j, 3:6] / 2)
            shared = np.prod(np.clip(high - low, 0, None))
            iou = shared / (np.prod(boxes[i, 3:6]) + np.prod(boxes[j, 3:6]) - shared)
            if labels[i] == labels[j] and iou > threshold:
                break
        else:
            kept.append(i)
    return sorted(kept)


def test_a_suppressed_box_suppresses_nothing():
    # In a row, neighbours overlap by half (IoU 1/3), next but one not at all.
    boxes = torch.tensor([[[x, 0., 0, 2, 2, 2, 0] for x in (0, 1, 2, 3)]])
    scores, labels = torch.tensor([[.9, .8, .7, .6]]), torch.zeros(1, 4, dtype=torch.long)
    everything = torch.ones(1, 4, dtype=torch.bool)
    assert class_wise_nms(boxes, scores, labels, everything, 0.25).tolist() == [[True, False, True, False]]
    assert class_wise_nms(boxes, scores, labels, everything, 0.34).all()
    labels[0, 1] = 1
    assert class_wise_nms(boxes, scores, labels, everything, 0.25).tolist() == [[True, True, True, False]]
    without_first = torch.tensor([[False, True, True, True]])
    labels[0, 1] = 0
    assert class_wise_nms(boxes, scores, labels, without_first, 0.25).tolist() == [[False, True, False, True]]


def test_suppression_equals_the_plain_loop():
    generator = torch.Generator().manual_seed(3)
    boxes = torch.rand(3, 60, 7, generator=generator) + 0.3
    boxes[..., 6] = 0
    scores = torch.rand(3, 60, generator=generator)
    labels = torch.randint(2, (3, 60), generator=generator)
    candidates = torch.rand(3, 60, generator=generator) > 0.2
    kept = class_wise_nms(boxes, scores, labels, candidates, 0.25)
    assert 3 < kept.sum() < 100
    for b in range(3):
        expected = greedy(*(value[b].numpy() for value in (boxes, scores, labels, candidates)), 0.25)
        assert kept[b].nonzero().flatten().tolist() == expected


def test_rotated_boxes_are_suppressed_by_their_hulls():
    # A long box at 45 degrees has the hull (0.7 * 4.1)^2; the second box lies in a corner of it.
    boxes = torch.tensor([[[0., 0, 0, 4, .1, 1, math.pi / 4], [0., 0, 0, 2.9, 2.9, 1, 0]]])
    kept = class_wise_nms(boxes, torch.tensor([[.9, .8]]), torch.zeros(1, 2, dtype=torch.long),
                          torch.ones(1, 2, dtype=torch.bool), 0.25)
    assert kept.tolist() == [[True, False]]


@pytest.fixture
def two_boxes():
    """A cloud with five points in box 0 and four in box 1, both clearly objects of two classes."""
    points = torch.cat([torch.zeros(5, 3), torch.tensor([[5., 0, 0]]).expand(4, 3)])[None]
    boxes = torch.tensor([[[[0., 0, 0, 1, 1, 1], [5., 0, 0, 1, 1, 1]]]])
    return predictions_of(boxes, [[[[2., 1, 0], [1., 2, 0]]]]), points


def test_every_box_once_per_class_scored_by_probability_times_objectness(two_boxes):
    predictions, points = two_boxes
    result, = detect(predictions, points, DetectionConfig())
    probabilities = torch.tensor([2., 1, 0]).softmax(0)
    assert result.labels_3d.tolist() == [0, 1]
    torch.testing.assert_close(result.scores_3d, probabilities[:2] * (1 - probabilities[2]))
    torch.testing.assert_close(result.bboxes_3d.gravity_center, torch.zeros(2, 3))
    torch.testing.assert_close(result.bboxes_3d.tensor[:, 2], torch.full((2, ), -0.5))  # the bottom


def test_thresholds_and_single_proposals(two_boxes):
    predictions, points = two_boxes
    result, = detect(predictions, points, DetectionConfig(min_points=4, per_class_proposal=False))
    assert result.labels_3d.tolist() == [0, 1]
    assert result.bboxes_3d.gravity_center[:, 0].tolist() == [0, 5]
    # The threshold is on objectness, 0.91 here, not on the score.
    assert len(detect(predictions, points, DetectionConfig(score_thr=0.9))[0]) == 2
    nothing, = detect(predictions, points, DetectionConfig(score_thr=0.92))
    assert len(nothing) == 0 and nothing.bboxes_3d.tensor.shape == (0, 7)


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


def test_rotated_detections_keep_their_yaw_and_count_points_in_their_frame():
    # Points along the diagonal: inside the thin box turned by 45 degrees, outside the unturned one.
    points = torch.linspace(-1, 1, 9).view(1, 9, 1) * torch.tensor([1., 1., 0])
    predictions = predictions_of([[[[0., 0, 0, 4, .2, 1], [0., 0, 0, 4, .2, 1]]]], [[[[3., 0, 0], [0., 3, 0]]]],
                                 num_bins=12)
    predictions = predictions._replace(yaws=torch.tensor([[[math.pi / 4, 0.]]]))
    result, = detect(predictions, points, DetectionConfig(per_class_proposal=False))
    assert result.labels_3d.tolist() == [0]
    assert result.bboxes_3d.yaw.tolist() == pytest.approx([math.pi / 4])
