"""Makes mmengine read every checkpoint with our reader."""
from typing import Any

import torch
from mmengine.runner import CheckpointLoader

from .reading import read_content


def load_from_m2ae_mm(filename: str, map_location: Any = None) -> dict[str, Any]:
    """What mmengine calls for ``load_from``, ``init_cfg``, ``resume`` and mmdet3d's ``init_model``.

    Args:
        filename: As for :func:`read_content`.
        map_location: A device; anything else of what ``torch.load`` takes
            leaves the tensors on the CPU.
    """
    content = read_content(filename, map_location if isinstance(map_location, (str, torch.device)) else None)
    if isinstance(content.get('meta'), dict):
        # The text of a config as old versions kept it, which Runner.resume would run to look for the number of GPUs.
        content['meta'].pop('config', None)
    if filename.startswith('mmcls://'):  # classifiers, of which mmengine takes the backbone
        tensors = content['state_dict'].items()
        content['state_dict'] = {name[9:]: value for name, value in tensors if name.startswith('backbone.')}
    return content


def take_over() -> None:
    """Make mmengine read every checkpoint, whatever its address, with :func:`load_from_m2ae_mm`."""
    for scheme in list(CheckpointLoader._schemes):
        CheckpointLoader.register_scheme(scheme, load_from_m2ae_mm, force=True)
