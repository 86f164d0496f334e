"""Shapes at survey coordinates and with points that are none, for tests."""
import numpy as np

UTM = np.array([388096.25, 3948996.75, 40.])


def ball(count=600, seed=0):
    """``(count, 3)`` float64 on a ball of 1 m around the origin."""
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True) / 2


def centred(points):
    """In the unit sphere, in float64: what the pipeline has to make of a cloud."""
    points = np.asarray(points, np.float64)[:, :3]
    points = points - points.mean(0)
    return points / np.linalg.norm(points, axis=1).max()
