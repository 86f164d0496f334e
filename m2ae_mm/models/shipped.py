"""Models with the weights that come with the package, for use from Python."""
import copy

from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from m2ae_mm.checkpoint import describe, load_for_test
from m2ae_mm.surroundings import PREFIX, find_config
from mmdet3d.registry import MODELS


def shipped_model(name: str) -> nn.Module:
    """A model with its weights, in evaluation mode.

    Args:
        name: ``'shapes_small'`` is a :class:`PointM2AE`: its ``extract_feat``
            gives features of shapes, its ``backbone`` is the encoder.
            ``'shapes'`` is the encoder in the paper's size, for features only.
            ``'rooms_det'`` is a detector of rooms, ``'rooms_seg'`` gives their points classes.

    Returns:
        The model. Its ``cfg`` is the config it was trained with, as functions
        of mmdet3d like ``inference_detector`` read it.

    Raises:
        ValueError: If there are no such weights.
    """
    config = shipped_config(name)
    init_default_scope(config.default_scope)  # as mmdet3d's init_model does, for what is built later
    model = MODELS.build(copy.deepcopy(config.model))  # mmdet3d's heads change what they are built from
    load_for_test(model, name)
    model.cfg = config
    return model.eval()


def shipped_config(name: str) -> Config:
    """The config that weights of the package were trained with.

    Raises:
        ValueError: If there are no such weights.
    """
    description = describe(name)
    config = Config.fromfile(find_config(f'{PREFIX}{description["config"]}'))
    config.model = description['model']
    return config
