"""Models with the weights that come with the package, for use from Python."""
import copy

from torch import nn

from m2ae_mm.checkpoint import describe, load_for_test
from mmdet3d.registry import MODELS


def shipped_model(name: str) -> nn.Module:
    """A model with its weights, in evaluation mode.

    Args:
        name: ``'cad_shapes'`` is a :class:`PointM2AE`: its ``extract_feat``
            gives features of shapes, its ``backbone`` is the encoder.
            ``'rooms_det'`` and ``'rooms_groupfree3d'`` are detectors.

    Raises:
        ValueError: If there are no such weights.
    """
    model = MODELS.build(copy.deepcopy(describe(name)['model']))  # mmdet3d's heads change what they are built from
    load_for_test(model, name)
    return model.eval()
