"""Everything that is built from a config."""
from . import backbones, classifiers, data_preprocessors, detectors, heads, necks, segmentors, selfsup

__all__ = ['backbones', 'classifiers', 'data_preprocessors', 'detectors', 'heads', 'necks', 'segmentors', 'selfsup']
