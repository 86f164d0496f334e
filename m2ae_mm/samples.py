"""What a sample of a batch is called, and its label, for models and metrics alike."""
from collections.abc import Mapping

from mmdet3d.structures import Det3DDataSample


def sample_name(sample: Det3DDataSample | Mapping) -> str:
    """Name of the shape, path of the scene, or else the position in the data set; for messages."""
    for key in ('name', 'lidar_path'):
        if sample.get(key) is not None:
            return repr(sample.get(key))
    return f'sample {sample.get("sample_idx", "without a name")}'


def sample_label(sample: Det3DDataSample | Mapping) -> int:
    """The class of a shape.

    Raises:
        ValueError: If it has none.
    """
    if 'gt_label' not in sample:
        raise ValueError(f'{sample_name(sample)} has no label; leave shapes without a class out of training and '
                         'scoring (labelled_only=True for packs; in a folder, files beside those of the classes have '
                         'none).')
    return int(sample.get('gt_label'))
