"""Readers and operators on whatever hypothesis comes up with."""
import io
import pickle
import zipfile
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from m2ae_mm.datasets.io.pcd import parse_pcd
from m2ae_mm.datasets.io.pickles import read_pickle
from m2ae_mm.files import inside, load_array, load_arrays
from m2ae_mm.ops import ball_query, chamfer_distance, furthest_point_sample, knn, three_nn, use_reference

COMMON = dict(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
NUMBERS = st.integers(-25600, 25600).map(lambda number: number / 256)  # whose distances do not underflow


@settings(max_examples=100, **COMMON)
@given(st.text(max_size=40)
       | st.lists(st.sampled_from(['..', '.', '', 'a', '~', 'C:', '\\']), max_size=6).map('/'.join))
def test_no_name_leads_out_of_its_folder(tmp_path, name):
    try:
        path = inside(tmp_path, name)
    except ValueError:
        return
    with suppress(OSError, ValueError):  # too long for the file system
        assert tmp_path in path.resolve().parents


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9) | st.binary(max_size=9)
    | arrays.arrays(st.sampled_from([np.dtype(code) for code in ('f4', '<f8', 'i4', 'u1', '?', '>i2', 'U3')]),
                    arrays.array_shapes(min_side=0, max_dims=3, max_side=4)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    | st.tuples(inner, inner), max_leaves=12)


def same(one, other):
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.shape == other.shape and np.array_equal(
            one, other, equal_nan=one.dtype.kind == 'f')
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return type(one) is type(other) and one == other


@settings(max_examples=80, **COMMON)
@given(VALUES, st.integers(0, 5))
def test_values_and_arrays_survive_the_restricted_reader(tmp_path, value, protocol):
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(value, protocol))
    assert same(read_pickle(tmp_path / 'a.pkl'), value)


@settings(max_examples=80, **COMMON)
@given(arrays.arrays(st.sampled_from([np.float32, np.float64, np.int32, np.uint8]),
                     arrays.array_shapes(min_side=0, max_dims=4, max_side=5)), st.booleans())
def test_arrays_come_back_as_they_were(tmp_path, array, compressed):
    np.save(tmp_path / 'a.npy', array)
    (np.savez_compressed if compressed else np.savez)(tmp_path / 'a.npz', a=array, b=array.T)
    for found, expected in ((load_array(tmp_path / 'a.npy'), array), (load_arrays(tmp_path / 'a.npz')['b'], array.T)):
        assert found.dtype == expected.dtype and np.array_equal(found, expected, equal_nan=expected.dtype.kind == 'f')


@settings(max_examples=40, **COMMON)
@given(st.integers(1, 2**40), st.integers(0, 300))
def test_an_archive_cannot_say_more_than_it_holds(tmp_path, declared, held):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, dict(descr='|u1', fortran_order=False, shape=(declared, )))
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w') as archive:
        archive.writestr('a.npy', header.getvalue() + bytes(held))
    if declared > held:
        with pytest.raises(ValueError, match='the file holds'):
            load_arrays(tmp_path / 'a.npz')
    else:
        assert len(load_arrays(tmp_path / 'a.npz')['a']) == declared


@settings(max_examples=60, **COMMON)
@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from(['ascii', 'binary']))
def test_point_files_hold_the_points_they_declare(declared, held, encoding):
    points = np.arange(3 * held, dtype=np.float32).reshape(held, 3)
    body = points.tobytes() if encoding == 'binary' else b''.join(b'%f %f %f\n' % tuple(row) for row in points)
    header = (f'VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nPOINTS {declared}\n'
              f'DATA {encoding}\n').encode()
    if declared > held:
        with pytest.raises(ValueError):
            parse_pcd(header + body)
    else:
        assert np.array_equal(parse_pcd(header + body).reshape(-1, 3), points[:declared])


CLOUDS = st.integers(1, 30).flatmap(lambda count: arrays.arrays(np.float32, (2, count, 3), elements=NUMBERS)).map(
    torch.from_numpy)


@settings(max_examples=60, **COMMON)
@given(CLOUDS, CLOUDS, st.integers(1, 12))
def test_neighbours_are_the_nearest_points(queries, points, k):
    found = knn(queries, points, k)
    distances = torch.cdist(queries.double(), points.double())
    chosen = distances.gather(2, found[..., :min(k, points.shape[1])])
    expected = distances.sort(2).values[..., :k]
    assert torch.allclose(chosen, expected, rtol=1e-5, atol=1e-4)
    with use_reference():
        assert torch.equal(knn(queries, points, k), found)


@settings(max_examples=60, **COMMON)
@given(CLOUDS, CLOUDS, st.floats(0.5, 150), st.integers(1, 8))
def test_members_of_a_ball_are_in_it(centers, points, radius, count):
    found = ball_query(centers, points, radius, count)
    distances = torch.cdist(centers.double(), points.double())
    chosen = distances.gather(2, found)
    inside_any = (distances < radius * (1 - 1e-5)).any(2)
    assert (chosen[inside_any] <= radius * (1 + 1e-5)).all()
    with use_reference():
        assert torch.equal(ball_query(centers, points, radius, count), found)


@settings(max_examples=60, **COMMON)
@given(CLOUDS, st.integers(1, 30))
def test_sampling_takes_points_far_from_those_taken(points, count):
    count = min(count, points.shape[1])
    found = furthest_point_sample(points, count)
    distinct = [len({tuple(row) for row in cloud.tolist()}) for cloud in points]
    for cloud, indices, most in zip(points, found, distinct):
        taken = {tuple(row) for row in cloud[indices].tolist()}
        assert indices[0] == 0 and len(taken) == min(count, most)
    with use_reference():
        assert torch.equal(furthest_point_sample(points, count), found)


@settings(max_examples=40, **COMMON)
@given(CLOUDS, CLOUDS, st.permutations(range(30)))
def test_distances_do_not_depend_on_the_order(one, other, order):
    order = torch.tensor([place for place in order if place < other.shape[1]])
    assert torch.allclose(chamfer_distance(one, other), chamfer_distance(one, other[:, order]), rtol=1e-4)
    squared, indices = three_nn(one, other)
    assert (squared >= 0).all() and (indices >= 0).all() and (indices < other.shape[1]).all()
