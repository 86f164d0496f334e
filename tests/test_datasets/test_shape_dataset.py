import os

import numpy as np
import pytest

from m2ae_mm.datasets.shape_dataset import cache_digest, check_cloud


def test_a_cache_serves_the_same_files_read_in_the_same_way_only(tmp_path):
    file = tmp_path / 'a.txt'

    def digest(text='1 2 3', time=5, root=tmp_path, name='a', **options):
        file.write_text(text)
        os.utime(file, ns=(time, time))
        return cache_digest(root, dict(num_points=8, **options), [(name, file), ('b', None)])

    first = digest()
    assert first == digest() == digest(root=tmp_path / '..' / tmp_path.name)
    others = [digest(text='1 2 34'), digest(time=6), digest(root=tmp_path / 'c'), digest(name='c'), digest(other=1),
              cache_digest(tmp_path, dict(num_points=9), [('a', file), ('b', None)])]
    assert len({first, *others}) == 7


def test_a_cloud_of_just_enough_points_and_columns_passes():
    points = np.arange(20.).reshape(5, 4)
    checked = check_cloud(points, 'a', columns=4, min_points=5)
    assert np.array_equal(checked, points)


@pytest.mark.parametrize('points, message', [
    (np.zeros((4, 4)), 'a: expected at least 5 points, found 4'),
    (np.zeros((5, 3)), r'a: expected \(N, 4\) points, found shape \(5, 3\)'),
    (np.zeros((1, 5, 4)), r'found shape \(1, 5, 4\)'),
])
def test_other_clouds_are_refused(points, message):
    with pytest.raises(ValueError, match=message):
        check_cloud(points, 'a', columns=4, min_points=5)
