"""Everything that is built from a config."""
from . import backbones, data_preprocessors, detectors, heads, necks, selfsup

__all__ = ['backbones', 'data_preprocessors', 'detectors', 'heads', 'necks', 'selfsup']
