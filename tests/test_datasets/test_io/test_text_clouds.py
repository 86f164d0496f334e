import numpy as np
import pytest

from m2ae_mm.datasets.io.clouds import read_cloud

XYZ = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)


def text(separator=' '):
    return '\n'.join(separator.join(f'{value}' for value in row) for row in XYZ.tolist()) + '\n'


def read(folder, content):
    (folder / 'a.txt').write_bytes(content.encode())
    return read_cloud(folder / 'a.txt', 100)


@pytest.mark.parametrize('before', ['', '\ufeff', 'x y z\n', '\ufeffX,Y,Z\n', '//X Y Z\n40\n', '40\n', '#x,y\n\n40\n'])
@pytest.mark.parametrize('separator', [' ', '\t', ', ', ';', '; '])
def test_text_of_any_separator_with_what_programs_write_before_it(tmp_path, before, separator):
    assert np.array_equal(read(tmp_path, before + text(separator)), XYZ)


@pytest.mark.parametrize('content, message', [
    ('0.1 0.2 no\n' + text(), "could not convert string 'no'"),
    ('x y z\nx y z\n' + text(), "could not convert string 'x'"),
    ('x y z\n3\n', 'no lines of numbers'),
    ('', 'no lines of numbers'),
    ('1\n2\n3\n', r'shape \(2, 1\), not points'),
    ('1 nan 3\n' + text(), '1 of 41 points are NaN'),
])
def test_other_text_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, content)
