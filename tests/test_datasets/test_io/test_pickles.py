import os
import pickle

import numpy as np
import pytest

from m2ae_mm.datasets.io.pickles import read_pickle


class Attack:
    def __reduce__(self):
        return os.system, ('touch stolen',)


@pytest.mark.parametrize('protocol', [0, 1, 2, 3, 4, 5])
def test_arrays_and_plain_values_come_back(tmp_path, protocol):
    content = [np.arange(6.).reshape(2, 3), [np.int64(3), 'name', 4], dict(a=(np.array(['x', None], object), 1.5))]
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(content, protocol))
    result = read_pickle(path)
    assert np.array_equal(result[0], content[0]) and result[1] == content[1]
    assert result[2]['a'][0].tolist() == ['x', None]


def test_code_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps([np.zeros(3), Attack()]))
    with pytest.raises(ValueError, match='asks for (posix|nt).system, which is no array'):
        read_pickle(tmp_path / 'a.pkl')
    assert not (tmp_path / 'stolen').exists()


def test_damaged_files(tmp_path):
    whole = pickle.dumps([np.zeros(100)])
    for content in (b'', whole[:50], b'no pickle at all'):
        (tmp_path / 'a.pkl').write_bytes(content)
        with pytest.raises(ValueError, match='cannot be read safely'):
            read_pickle(tmp_path / 'a.pkl')


@pytest.mark.parametrize('encoding, read', [('latin1', True), ('utf-8', False), ('zlib_codec', False)])
def test_bytes_are_encoded_as_array_pickles_do_it_and_in_no_other_way(tmp_path, encoding, read):
    (tmp_path / 'a.pkl').write_bytes(b'c_codecs\nencode\n(V\\u00e9\nV' + encoding.encode() + b'\ntR.')
    if read:
        assert read_pickle(tmp_path / 'a.pkl') == b'\xe9'
    else:
        with pytest.raises(ValueError, match=f"_codecs.encode with encoding '{encoding}'"):
            read_pickle(tmp_path / 'a.pkl')
