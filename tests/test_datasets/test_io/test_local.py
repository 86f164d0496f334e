import numpy as np
import pytest
from far import UTM, ball, centred

from m2ae_mm.datasets.io.local import Remarks, far_origin, local_cloud


@pytest.mark.parametrize('offset', [UTM, -UTM, UTM * 1e3, [0, 0, 1e9]])
def test_a_shape_keeps_its_form_wherever_it_was_recorded(offset):
    cloud = local_cloud(np.hstack([ball() + offset, ball()]), 'a')
    assert cloud.dtype == np.float32 and cloud.shape == (600, 6)
    np.testing.assert_allclose(centred(cloud), centred(ball()), atol=1e-4)
    np.testing.assert_allclose(cloud[:, 3:], ball(), atol=1e-6)  # other columns stay


def test_integers_of_a_scanner_in_millimetres_keep_their_form():
    cloud = local_cloud(np.round((ball() + UTM) * 1000).astype(np.int64), 'a')
    np.testing.assert_allclose(centred(cloud), centred(ball()), atol=2e-3)  # of 500 millimetres


def test_clouds_that_float32_holds_stay_where_they_are():
    points = ball() + [30, 0, 0]
    assert np.array_equal(local_cloud(points, 'a'), points.astype(np.float32))
    single, half = points.astype(np.float32), points.astype(np.float16)
    assert local_cloud(single, 'a') is single and local_cloud(half, 'a') is half
    assert np.array_equal(local_cloud(points.astype('>f4'), 'a'), points.astype(np.float32))
    assert far_origin(ball() + [99, 0, 0]) is None
    np.testing.assert_allclose(far_origin(ball() + [999, 0, 0]), [999, 0, 0], atol=0.1)


def test_points_without_size_go_to_the_origin_and_those_at_it_stay():
    assert local_cloud(np.full((4, 3), 7.), 'a').tolist() == np.zeros((4, 3)).tolist()
    assert local_cloud(np.zeros((4, 3)), 'a').tolist() == np.zeros((4, 3)).tolist()


@pytest.mark.parametrize('kind', [np.float16, np.float32, np.float64])
def test_points_that_are_none_are_left_out_and_counted(kind):
    points = np.hstack([ball(), np.arange(600)[:, None]]).astype(kind)
    points[[3, 5, 8], [0, 1, 2]] = [np.nan, np.inf, -np.inf]
    points[9, 3] = np.nan  # no coordinate
    remarks = Remarks('data')
    cloud = local_cloud(points, 'a', remarks)
    assert np.array_equal(cloud, np.delete(points, [3, 5, 8], 0).astype(cloud.dtype), equal_nan=True)
    local_cloud(ball(), 'b', remarks)
    assert remarks.dropped == dict(a=3)
    assert str(remarks) == "data: 3 points of 1 clouds hold NaN or infinite values and are left out, the first in 'a'."


def test_numbers_too_large_for_float32_are_no_points():
    points = np.vstack([ball(), [[1e39, 0, 0]]])
    assert np.array_equal(local_cloud(points, 'a'), ball().astype(np.float32))


@pytest.mark.parametrize('points, message', [
    (np.full((3, 3), np.nan), 'all 3 points hold NaN'), (np.empty((0, 3)), 'no points'),
])
def test_clouds_without_points_are_refused(points, message):
    with pytest.raises(ValueError, match=message):
        local_cloud(points, 'a')


def test_files_that_lost_the_shape_themselves_are_said_once(monkeypatch):
    logged = []
    monkeypatch.setattr('m2ae_mm.datasets.io.local.print_log', lambda text, *rest: logged.append(text))
    remarks = Remarks('data')
    local_cloud((ball() + UTM).astype(np.float32), 'blurred', remarks)
    local_cloud(ball() + UTM, 'sharp', remarks)
    local_cloud(np.array([[0, 0, 0], [1, 1, 1]] * 9) + UTM, 'corners', remarks)
    remarks.say()
    local_cloud((ball() + UTM).astype(np.float32), 'another', remarks)
    remarks.say()
    assert len(logged) == 1 and logged[0].startswith('data: 1 clouds lie so far from the origin')
    assert "the first is 'blurred'" in logged[0]
