"""Everything that is built from a config."""
from . import backbones, detectors, heads, necks, selfsup

__all__ = ['backbones', 'detectors', 'heads', 'necks', 'selfsup']
