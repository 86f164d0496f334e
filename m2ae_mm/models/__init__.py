"""Everything that is built from a config."""
from . import backbones, classifiers, data_preprocessors, detectors, heads, necks, segmentors, selfsup
from .shipped import shipped_model

__all__ = [
    'backbones', 'classifiers', 'data_preprocessors', 'detectors', 'heads', 'necks', 'segmentors', 'selfsup',
    'shipped_model'
]
