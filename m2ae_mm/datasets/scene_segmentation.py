"""Scenes with a class for every point, of any classes, in the layout of mmdet3d."""
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from m2ae_mm.class_names import check_class_names
from m2ae_mm.errors import UserError
from mmdet3d.datasets import ScanNetSegDataset
from mmdet3d.datasets.seg3d_dataset import Seg3DDataset
from mmdet3d.registry import DATASETS

from .scannet_layout import MASK_VALUES

# The label of mask values without a meaning.
UNKNOWN = -1
# The mask value of points without annotation, which -1 becomes, too; so is 0 if no class has that value.
_NOTHING = 255


@DATASETS.register_module()
class M2AESceneSegDataset(Seg3DDataset):
    """mmdet3d's ``Seg3DDataset`` for any classes: semantic segmentation of scans of one's own.

    ``metainfo=dict(classes=[...])`` lists the names in the order of the
    labels. The annotation file says what the values in masks mean, in
    ``metainfo['seg_categories']``: a dictionary from names to values. Names
    that are not listed are left out of training and scoring. Without the
    dictionary, value 0 is the first class of the list, 1 the second.
    Points that are not annotated have -1, 255, or 0 where no class has that.

    Every scene is read once an epoch unless ``scene_idxs`` says otherwise.
    Points left out have the label after the last class. The other options are those of ``Seg3DDataset``; entries need
    ``lidar_points`` and ``pts_semantic_mask_path``.
    """

    METAINFO: dict = {}

    def __init__(self, *args, metainfo: dict | None = None, **kwargs) -> None:
        classes = check_class_names((metainfo or {}).get('classes') or (), 'metainfo.classes')
        if not classes:
            raise ValueError('M2AESceneSegDataset needs the names of its classes: metainfo=dict(classes=[...]), in the '
                             'order of the labels.')
        # What the base reads; the class itself knows no names.
        numbers = tuple(range(len(classes)))
        self.METAINFO = dict(classes=classes, seg_valid_class_ids=numbers, seg_all_class_ids=numbers)
        # As the head expects it; a config may have inherited that of another data set.
        kwargs['ignore_index'] = len(classes)
        super().__init__(*args, metainfo={'palette': seg_palette(classes), **metainfo, 'classes': classes}, **kwargs)

    def load_data_list(self) -> list[dict]:
        """See mmengine; values of masks are as the file says."""
        entries = super().load_data_list()
        values = self._metainfo.get(MASK_VALUES)
        self.seg_label_mapping = label_mapping(self._metainfo['classes'], values, self.ignore_index, self.ann_file)
        for entry in entries:
            entry['seg_label_mapping'] = self.seg_label_mapping
        return entries


def label_mapping(classes: Sequence[str], values: Mapping[str, int] | None, ignored: int,
                  file: str | Path = 'the annotation file') -> np.ndarray:
    """``(256,)`` int64: the label of each value of a mask, ``UNKNOWN`` for values without a meaning.

    Args:
        classes: In the order of their labels.
        values: Of every class in the masks; None for positions in ``classes``.
        ignored: Label of points that are left out.
        file: The annotation file, for messages.

    Raises:
        UserError: If the file does not have a class, two of them have one value, or values are no numbers from 0 to
            254.
    """
    values = {name: i for i, name in enumerate(classes)} if values is None else values
    if not isinstance(values, Mapping) or not all(
            isinstance(value, (int, np.integer)) and 0 <= value < _NOTHING for value in values.values()):
        raise UserError(f'{str(file)!r} has {MASK_VALUES}={values!r}; a dictionary from names to values from 0 to '
                        f'{_NOTHING - 1} is needed.')
    absent = [name for name in classes if name not in values]
    if absent:
        raise UserError(f'metainfo.classes lists {", ".join(map(repr, absent))}, and the masks of {str(file)!r} have '
                        f'{", ".join(values)}. List classes from these, or prepare the data again.')
    twice = [name for name in classes if [values[each] for each in classes].count(values[name]) > 1]
    if twice:
        raise UserError(f'{", ".join(map(repr, twice))} have one value in the masks of {str(file)!r}. List only one '
                        'of them in metainfo.classes.')
    mapping = np.full(_NOTHING + 1, UNKNOWN, np.int64)
    mapping[[0, _NOTHING, *values.values()]] = ignored
    for label, name in enumerate(classes):
        mapping[values[name]] = label
    return mapping


def seg_palette(classes: Sequence[str]) -> list[list[int]]:
    """r, g, b in 0..255 of each class: ScanNet's for its names, else colours that can be told apart.

    They can be told from that of wrong points, too.
    """
    known = dict(zip(ScanNetSegDataset.METAINFO['classes'], ScanNetSegDataset.METAINFO['palette']))
    if all(name in known for name in classes):
        return [known[name] for name in classes]
    from m2ae_mm.visualization.colours import NO_CLASS, WRONG, class_colours
    return class_colours(len(classes), (NO_CLASS, WRONG)).astype(int).tolist()
