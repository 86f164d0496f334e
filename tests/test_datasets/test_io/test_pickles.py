import codecs
import collections
import gc
import os
import pickle
import resource
import struct

import mmengine
import numpy as np
import pytest
from processes import in_fresh_process

from m2ae_mm.datasets.io import annotations
from m2ae_mm.datasets.io.annotations import read_annotations, restrict_annotations
from m2ae_mm.datasets.io.pickles import read_pickle


class Attack:
    def __reduce__(self):
        return os.system, ('touch stolen',)


@pytest.mark.parametrize('protocol', [0, 1, 2, 3, 4, 5])
def test_arrays_and_plain_values_come_back(tmp_path, protocol):
    twice = np.arange(3, dtype=np.int16)
    content = [np.arange(6.).reshape(2, 3), [np.int64(3), 'name', 4],
               dict(a=(np.array(['x', None], object), 1.5)),
               np.asfortranarray(np.eye(3))[:, :2], np.array(['a', 'bcd']), np.float32(0.5), np.array(True), twice,
               twice, np.zeros((0, 3)), np.arange(4, dtype='>i4'), {1, 2}, collections.OrderedDict(a=b'\xff')]
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(content, protocol))
    result = read_pickle(path)
    assert result[2]['a'][0].tolist() == ['x', None] and result[1] == content[1] and result[2]['a'][1] == 1.5
    assert result[11:] == content[11:]
    for found, expected in zip(result, content):
        if isinstance(expected, (np.ndarray, np.generic)):
            assert np.array_equal(found, expected)
            assert found.dtype.newbyteorder('=') == expected.dtype.newbyteorder('=')
    assert type(result[0]) is np.ndarray and result[0].flags.writeable and np.shares_memory(result[7], result[8])


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


ARRAY = b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\x01bt'
TYPE = b'cnumpy\ndtype\n(V%s\nI00\nI01\ntR'
HOSTILE = {
    'pointers': ARRAY + b'R(I1\n(I1\nt' + TYPE % b'O8' + b'(I3\nV|\nNNNI-1\nI-1\nI0\ntbI00\nC\x08AAAAAAAAtb.',
    'objects': ARRAY + b'R(I1\n(I5\nt' + TYPE % b'O8' + b'I00\n(lNatb.',
    'too short': ARRAY + b'R(I1\n(I1000\nt' + TYPE % b'f8' + b'I00\nC\x08AAAAAAAAtb.',
    'negative': ARRAY + b'R(I1\n(I-1\nt' + TYPE % b'f8' + b'I00\nC\x08AAAAAAAAtb.',
    'filled twice': (ARRAY + b'R' + 2 * (b'(I1\n(I1\nt' + TYPE % b'f8' + b'I00\nC\x08AAAAAAAAtb') + b'.'),
    'fields': TYPE % b'V8' + b'.',
    'parts': TYPE % b'f8' + b'(I3\nV<\nNV(a)\nNI-1\nI-1\nI0\ntb.',
    'defaults of a function': b'c_codecs\nencode\n(N}V__defaults__\n(I1\ntstb.',
    'dictionary of a function': b'cnumpy.core.multiarray\n_reconstruct\n}V__code__\nNsb.',
    'attribute of a class': b'cnumpy\nndarray\n(N}V__setstate__\nNstb.',
    'array without a shape': b'cnumpy\nndarray\n(I1000000\ntR.',
    'new object': b'\x80\x02cnumpy\nndarray\n(I1000000\nt\x81.',
    'subclass': b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntC\x01btR.',
    'scalar': b'cnumpy.core.multiarray\nscalar\n(' + TYPE % b'O8' + b'NtR.',
    'scalar of other size': b'cnumpy.core.multiarray\nscalar\n(' + TYPE % b'f8' + b'C\x04AAAAtR.',
    'called text': b'Vprint\n(Va\ntR.',
    'called method': b'c_codecs\nencode.__call__\n(Va\nVlatin1\ntR.',
    'builtins': b'cbuiltins\neval\n(Vopen("stolen", "w")\ntR.',
    'getattr': b'cbuiltins\ngetattr\n(Va\nVupper\ntR.',
    'old class': b'(Vopen("stolen", "w")\nibuiltins\neval\n.',
    'old object': b'(cbuiltins\neval\nVopen("stolen", "w")\no.',
    'persistent': b'Pa\n.',
    'extension': b'\x82\x01.',
    'memory by one number': b'\x80\x02Nr\xff\xff\xff\x7f' + b'0' * 3,
    'bytes without end': b'\x80\x04\x8e' + struct.pack('<Q', 2**40) + b'a.',
    'bytearray without end': b'\x80\x05\x96' + struct.pack('<Q', 2**36) + b'a.',
    'text without end': b'\x80\x04\x8d' + struct.pack('<Q', 2**40) + b'a.',
    'frame without end': b'\x80\x04\x95' + struct.pack('<Q', 2**40) + b'N.',
    'number without end': b'\x80\x02\x8b\xff\xff\xff\x7fa.',
    'tuples as keys': b'\x80\x02}' + b')' + b'2\x86' * 5 + b'Ns.',
    'items of an array': b'(' + ARRAY + b'RVa\nNs.',
}


# A type that says it holds references makes NumPy take the numbers for pointers.
FLAGS = ARRAY + b'R(I1\n(I1\nt' + TYPE % b'f8' + b'(I3\nV<\nNNNI-1\nI-1\nI127\ntbI00\nC\x08AAAAAAAAtb.'


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_pickles_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.pkl').write_bytes(HOSTILE[name])
    with pytest.raises(ValueError, match="a.pkl' cannot be read safely"):
        read_pickle(tmp_path / 'a.pkl')
    assert os.listdir(tmp_path) == ['a.pkl']


def refused(folder):
    """How many pickles are refused, by a process of its own with little memory, whose NumPy stays as it was."""
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_DATA, (3 * 2**30, 3 * 2**30))
    count = 0
    for path in sorted(folder.glob('*.pkl')):
        try:
            assert read_pickle(path).dtype.flags == 0
        except ValueError:
            count += 1
    gc.collect()
    assert np.dtype('f8').flags == 0 and codecs.encode('a', 'latin1') == b'a' and np.zeros(3).tolist() == [0, 0, 0]
    return count


def test_nothing_that_hostile_pickles_ask_for_has_stayed(tmp_path):
    for i, content in enumerate([*HOSTILE.values(), FLAGS]):
        (tmp_path / f'{i:02d}.pkl').write_bytes(content)
    assert in_fresh_process(refused, tmp_path) == len(HOSTILE) and not list(tmp_path.glob('stolen*'))


@pytest.fixture
def restricted(monkeypatch):
    monkeypatch.setattr(annotations, 'file_handlers', handlers := dict(annotations.file_handlers))
    monkeypatch.setattr('mmengine.fileio.io.file_handlers', handlers)
    restrict_annotations()


@pytest.mark.parametrize('suffix', ['pkl', 'pickle'])
def test_mmengine_reads_annotations_with_the_same_reader(tmp_path, monkeypatch, restricted, suffix):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f'infos.{suffix}'
    mmengine.dump(dict(data_list=[dict(a=1)]), path)
    assert mmengine.load(path) == dict(data_list=[dict(a=1)])
    path.write_bytes(pickle.dumps(dict(data_list=[Attack()])))
    with pytest.raises(ValueError, match='asks for (posix|nt).system, which is no array'):
        mmengine.load(path)
    assert not (tmp_path / 'stolen').exists()


def test_a_checked_file_is_parsed_once_and_handed_over_once(tmp_path, restricted):
    path = tmp_path / 'infos.pkl'
    mmengine.dump(dict(data_list=[dict(a=1)]), path)
    checked = read_annotations(path)
    assert read_annotations(path) is checked
    loaded = mmengine.load(path)
    assert loaded is checked
    loaded['data_list'].clear()
    assert mmengine.load(path) == dict(data_list=[dict(a=1)])
    assert read_annotations(path) == dict(data_list=[dict(a=1)])
