"""Point-M2AE and 3DETR for mmdet3d. Importing this package registers all of it."""
from mmengine.config import Config

from . import surroundings
from .mmcv_ops import install

# mmdet3d reads mmcv's operators while it is imported, so they must exist first.
install()
surroundings.hide_broken_open3d()
surroundings.allow_names(Config)

from . import checkpoint, datasets, engine, evaluation, models, ops, visualization  # noqa: E402
from .version import __version__  # noqa: E402

checkpoint.allow_mmengine_checkpoints()
checkpoint.take_over()

__all__ = [
    '__version__', 'checkpoint', 'datasets', 'engine', 'evaluation', 'models', 'ops', 'visualization'
]
