"""mmengine's ways to a checkpoint, all of which end in ours."""
from typing import Any

from mmengine.runner import CheckpointLoader

from .reading import read_content


def load_from_m2ae_mm(filename: str, map_location: Any = None) -> dict[str, Any]:
    """What mmengine calls for ``load_from``, ``init_cfg``, ``resume`` and mmdet3d's ``init_model``.

    Args:
        filename: As for :func:`read_content`.
        map_location: As for ``torch.load``.
    """
    return read_content(filename, map_location)


def take_over() -> None:
    """Have mmengine read files, and the names of shipped weights, with :func:`load_from_m2ae_mm`."""
    CheckpointLoader.register_scheme('', load_from_m2ae_mm, force=True)
