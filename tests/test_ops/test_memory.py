"""Search on a CPU takes memory for points, not for pairs of them."""
from pathlib import Path

import pytest
import torch
from processes import in_fresh_process

from m2ae_mm import ops
from m2ae_mm.cli.bench.timing import memory_since, start_memory


# A query to ten points. At 160,000 points a matrix of all pairs would take 10 GB.
def growth(count):
    points = torch.rand(1, count, 3, generator=torch.Generator().manual_seed(0)) * 5
    queries, found = points[:, ::10].contiguous(), {}
    for name, call in dict(fps=lambda: ops.furthest_point_sample(points, 64), knn=lambda: ops.knn(queries, points, 16),
                           ball=lambda: ops.ball_query(queries, points, 0.2, 64),
                           three=lambda: ops.three_nn(points, queries)).items():
        start = start_memory('cpu')
        call()
        found[name] = memory_since(start, 'cpu')
    return found


def growths():
    growth(1000)  # compiles
    return growth(40_000), growth(160_000)


def test_grows_with_the_points():
    if not Path('/proc/self/status').is_file():
        pytest.skip('the system does not say')
    # A fresh process: what the tests before have freed here may be used again.
    few, many = in_fresh_process(growths)
    for name, size in few.items():
        assert many[name] < 5 * size + 2**20, (name, size, many[name])
        assert many[name] < 40 * 2**20
