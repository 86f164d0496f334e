import numpy as np
import pytest
import trimesh

from m2ae_mm.datasets.io.clouds import read_cloud

XYZ = np.random.default_rng(0).normal(size=(40, 3))


def test_of_several_arrays_points_are_those_called_points(tmp_path):
    np.savez(tmp_path / 'a.npz', colours=XYZ * 0, points=XYZ, normals=-XYZ)
    assert np.array_equal(read_cloud(tmp_path / 'a.npz', 9), XYZ.astype(np.float32))
    np.savez(tmp_path / 'b.npz', anything=-XYZ)
    assert np.array_equal(read_cloud(tmp_path / 'b.npz', 9), -XYZ.astype(np.float32))
    np.savez(tmp_path / 'c.npz', one=XYZ, other=XYZ)
    with pytest.raises(ValueError, match='none is called points: one, other'):
        read_cloud(tmp_path / 'c.npz', 9)


def test_columns_after_the_third_are_left_out(tmp_path):
    np.save(tmp_path / 'a.npy', np.hstack([XYZ, XYZ * np.nan]))
    points = read_cloud(tmp_path / 'a.npy', 9)
    assert points.dtype == np.float32 and np.array_equal(points, XYZ.astype(np.float32))


def test_points_of_a_mesh_follow_the_seed(tmp_path):
    trimesh.creation.box().export(tmp_path / 'a.off')
    first, again, other = (read_cloud(tmp_path / 'a.off', 70, seed) for seed in (0, 0, 1))
    assert len(first) == 70 and np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.array_equal(first, read_cloud(tmp_path / 'a.off', 70))
