"""Rows of bad input: calls of tools, and what the message that they end with must say."""
import io
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'm2ae'
ROOMS = str(CONFIGS / 'rooms_pretrain.py')
DETECTOR = str(CONFIGS / 'rooms_det.py')
TINY = ['model.backbone.num_centers=[16,8,4]', 'model.backbone.num_neighbors=[4,4,4]',
        'model.backbone.point_hidden=[4,4,8]']


def check(message, main, words):
    """The message has all of the words, which ``...`` parts."""
    text = message(main)
    at = 0
    for word in words.split('...'):
        assert word.strip() in text[at:], f'{word.strip()!r} is not in {text[at:]!r}'
        at = text.index(word.strip(), at)


def tool(name, *arguments):
    module = import_module(f'm2ae_mm.cli.{name}')
    return lambda: module.main(module.parse_args([str(each) for each in arguments]))


def rows(table):
    """Parameters of a test from a dictionary of rows, which are named by their keys."""
    return pytest.mark.parametrize('row', [pytest.param(row, id=name) for name, row in table.items()])


def npy(shape, descr='<f4', body=b''):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, dict(descr=descr, fortran_order=False, shape=shape))
    return file.getvalue() + body
