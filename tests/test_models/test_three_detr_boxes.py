"""Decoding of boxes, suppression and detections of 3DETR on cases worked out by hand."""
import math

import numpy as np
import pytest
import torch
from detections import predictions_of

from m2ae_mm.models.heads.box_angles import decode_yaw, encode_yaw
from m2ae_mm.models.heads.box_postprocess import DetectionConfig, class_wise_nms, detect
from m2ae_mm.models.heads.scene_extent import SceneExtent
from m2ae_mm.models.heads.three_detr_boxes import decode_boxes

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


def test_suppression_reaches_the_end_of_a_long_row():
    boxes = torch.tensor([[[x, 0., 0, 2, 2, 2, 0] for x in range(8)]])
    kept = class_wise_nms(boxes, torch.linspace(0.9, 0.2, 8)[None], torch.zeros(1, 8, dtype=torch.long),
                          torch.ones(1, 8, dtype=torch.bool), 0.25)
    assert kept.tolist() == [[True, False] * 4]


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


def test_where_all_boxes_are_empty_the_most_certain_stays(two_boxes):
    predictions, points = two_boxes
    predictions.class_logits[-1][0, 0, 0] += 1  # which makes the first more certain
    result, = detect(predictions, points + 100, DetectionConfig())
    assert result.bboxes_3d.gravity_center[:, 0].tolist() == [0, 0] and result.labels_3d.tolist() == [0, 1]


def test_thresholds_and_single_proposals(two_boxes):
    predictions, points = two_boxes
    result, = detect(predictions, points, DetectionConfig(min_points=4, per_class_proposal=False))
    assert result.labels_3d.tolist() == [0, 1]
    assert result.bboxes_3d.gravity_center[:, 0].tolist() == [0, 5]
    # The threshold is on objectness, 0.91 here, not on the score.
    assert len(detect(predictions, points, DetectionConfig(score_thr=0.9))[0]) == 2
    nothing, = detect(predictions, points, DetectionConfig(score_thr=0.92))
    assert len(nothing) == 0 and nothing.bboxes_3d.tensor.shape == (0, 7)


def test_rotated_detections_keep_their_yaw_and_count_points_in_their_frame():
    # Points along the diagonal: inside the thin box turned by 45 degrees, outside the unturned one.
    points = torch.linspace(-1, 1, 9).view(1, 9, 1) * torch.tensor([1., 1., 0])
    predictions = predictions_of([[[[0., 0, 0, 4, .2, 1], [0., 0, 0, 4, .2, 1]]]], [[[[3., 0, 0], [0., 3, 0]]]],
                                 num_bins=12)
    predictions = predictions._replace(yaws=torch.tensor([[[math.pi / 4, 0.]]]))
    result, = detect(predictions, points, DetectionConfig(per_class_proposal=False))
    assert result.labels_3d.tolist() == [0]
    assert result.bboxes_3d.yaw.tolist() == pytest.approx([math.pi / 4])
