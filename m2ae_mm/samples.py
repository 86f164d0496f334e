"""What a sample is called, and its label, for pipelines, models and metrics alike."""
from collections.abc import Mapping

from mmdet3d.structures import Det3DDataSample


def sample_name(sample: Det3DDataSample | Mapping) -> str:
    """Name of the shape, path of the scene, or else the position in the data set; for messages, in a pipeline, too."""
    for name in (sample.get('name'), sample.get('lidar_path'), (sample.get('lidar_points') or {}).get('lidar_path')):
        if name:
            return repr(str(name))
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
