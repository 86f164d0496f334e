"""ScanObjectNN: scanned objects, 15 classes."""
from collections.abc import Callable, Sequence
from pathlib import Path

from mmdet3d.registry import DATASETS

from .io.problems import Problems
from .modelnet40 import add_h5
from .shape_dataset import LoadedShapeDataset

# Variant -> folder and ending of the file name.
_VARIANTS = {
    'objbg': ('main_split', '_objectdataset.h5'),
    'objonly': ('main_split_nobg', '_objectdataset.h5'),
    'pbt50rs': ('main_split', '_objectdataset_augmentedrot_scale75.h5'),
}


@DATASETS.register_module()
class M2AEScanObjectNN(LoadedShapeDataset):
    """ScanObjectNN, 2,048 points a shape.

    Args:
        data_root: Folder with ``main_split`` and ``main_split_nobg``.
        split: ``'train'``, ``'test'`` or both.
        variant: ``'objbg'`` (with background), ``'objonly'`` (without) or
            ``'pbt50rs'`` (moved, turned and scaled boxes, the hardest).
        kwargs: Options of :class:`ShapeDataset`.
    """

    METAINFO = dict(
        classes=('bag', 'bin', 'box', 'cabinet', 'chair', 'desk', 'display', 'door', 'shelf', 'table', 'bed', 'pillow',
                 'sink', 'sofa', 'toilet'))
    LAYOUT = ('Expected main_split/ (OBJ-BG, PB-T50-RS) and main_split_nobg/ (OBJ-ONLY) with '
              '{training,test}_objectdataset.h5 and ..._objectdataset_augmentedrot_scale75.h5.')

    def __init__(self, data_root: str, split: str | Sequence[str] = 'train', variant: str = 'objbg', **kwargs) -> None:
        if variant not in _VARIANTS:
            raise ValueError(f'variant is one of {", ".join(_VARIANTS)}; got {variant!r}.')
        self.variant = variant
        super().__init__(data_root, split, **kwargs)

    def load_shapes(self, problems: Problems, add: Callable) -> None:
        """One file a split."""
        folder, ending = _VARIANTS[self.variant]
        for split in self.splits:
            name = dict(train='training', test='test')[split] + ending
            add_h5(Path(self.data_root) / folder / name, split, problems, add)
