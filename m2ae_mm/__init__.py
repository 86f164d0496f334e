"""Point-M2AE and 3DETR for mmdet3d."""
from .mmcv_ops import install

# mmdet3d reads mmcv's operators while it is imported, so they must exist first.
install()

from . import ops  # noqa: E402

__version__ = '0.1.0'

__all__ = ['__version__', 'ops']
