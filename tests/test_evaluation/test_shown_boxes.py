import numpy as np
import pytest

from m2ae_mm.evaluation.shown_boxes import best_threshold, match_boxes


def cubes(*places):
    return np.array([[x, 0, 0, 1, 1, 1, 0] for x in places], dtype=float)


def test_a_box_is_right_about_one_thing_of_its_class():
    truth, labels = cubes(0, 3), np.array([0, 1])
    # The second is the better of two about one thing; the third has the wrong class, the fourth is elsewhere.
    found = match_boxes(cubes(0.2, 0.1, 3, 6), np.array([0, 0, 0, 1]), np.array([0.5, 0.9, 0.8, 0.7]), truth, labels)
    assert found.tolist() == [-1, 0, -1, -1]


def test_a_box_whose_best_thing_is_taken_may_have_the_next():
    found = match_boxes(cubes(0.1, 0.2), np.array([0, 0]), np.array([0.9, 0.8]), cubes(0, 0.5), np.array([0, 0]))
    assert found.tolist() == [0, 1]


def test_overlap_decides():
    # Cubes moved by x share (1 - x) / (1 + x).
    for moved, right in ((0.59, True), (0.61, False)):
        found = match_boxes(cubes(moved), np.zeros(1, int), np.ones(1), cubes(0), np.zeros(1, int))
        assert (found[0] == 0) == right


@pytest.mark.parametrize('found, true', [(0, 2), (2, 0), (0, 0)])
def test_nothing_matches_nothing(found, true):
    matches = match_boxes(cubes(*range(found)), np.zeros(found, int), np.ones(found), cubes(*range(true)),
                          np.zeros(true, int))
    assert matches.tolist() == [-1] * found


def test_the_threshold_has_the_highest_f1_by_trying_all():
    rng = np.random.default_rng(0)
    scenes = [(scores := rng.random(30).round(2), rng.random(30) < scores**2, 12) for _ in range(5)]
    chosen = best_threshold(scenes)

    def f1(score):
        shown = sum((scores > score).sum() for scores, _, _ in scenes)
        right = sum((is_right & (scores > score)).sum() for scores, is_right, _ in scenes)
        return 2 * right / (shown + 60), right / max(shown, 1), right / 60

    best = max(f1(score)[0] for score in np.arange(-0.005, 1, 0.01))
    assert chosen.f1 == pytest.approx(best)
    assert f1(chosen.score) == pytest.approx((chosen.f1, chosen.precision, chosen.recall))
    assert chosen.scenes == 5


def test_if_nothing_is_right_nothing_is_shown():
    chosen = best_threshold([(np.array([0.9, 1.0]), np.zeros(2, bool), 3), (np.zeros(0), np.zeros(0, bool), 0)])
    assert chosen.score == 1 and chosen.f1 == 0


def test_if_all_is_right_all_is_shown():
    assert best_threshold([(np.array([0.3, 0.2]), np.ones(2, bool), 2)]).score < 0.2


def test_scenes_without_things_are_refused():
    with pytest.raises(ValueError, match='none of 2 scenes has a true box'):
        best_threshold([(np.ones(1), np.zeros(1, bool), 0)] * 2)
