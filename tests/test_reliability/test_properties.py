"""Readers on whatever hypothesis comes up with."""
import pickle
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from m2ae_mm.datasets.io.pcd import parse_pcd
from m2ae_mm.datasets.io.pickles import read_pickle
from m2ae_mm.files import inside

COMMON = dict(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


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
