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


@pytest.mark.parametrize('separator', [',', ';', ', ', ' ; ', '\t'])
@pytest.mark.parametrize('newline', ['\n', '\r\n'])
@pytest.mark.parametrize('before', ['', 'x, y, z,\n', '40,\n'])
def test_separators_at_the_ends_of_lines(tmp_path, separator, newline, before):
    rows = [separator.join(f'{value}' for value in row) + separator for row in XYZ.tolist()]
    assert np.array_equal(read(tmp_path, before + newline.join(rows)), XYZ)
    rows[::2] = [row.rstrip(' ,;\t') for row in rows[::2]]  # of some lines only
    rows[5] += '  # remark'
    assert np.array_equal(read(tmp_path, before + newline.join(rows)), XYZ)


def test_blanks_between_and_a_comma_at_the_end(tmp_path):
    assert np.array_equal(read(tmp_path, text().replace('\n', ',\n')), XYZ)


@pytest.mark.parametrize('none', ['nan', 'NaN', 'inf', '-Infinity'])
def test_points_that_are_none_are_left_out(tmp_path, none):
    assert np.array_equal(read(tmp_path, f'1,{none},3\n{text(",")}'), XYZ)


@pytest.mark.parametrize('content, message', [
    ('0.1 0.2 no\n' + text(), "could not convert string 'no'"),
    ('x y z\nx y z\n' + text(), "could not convert string 'x'"),
    ('x y z\n3\n', 'no lines of numbers'),
    ('', 'no lines of numbers'),
    ('1\n2\n3\n', r'shape \(2, 1\), not points'),
    ('1 nan 3\n' * 4, 'all 4 points hold NaN'),
    ('1,2,3,\n4,,6,\n', 'could not convert'),
    ('1,2,3,\n4,5,\n', 'number of columns'),
])
def test_other_text_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, content)
