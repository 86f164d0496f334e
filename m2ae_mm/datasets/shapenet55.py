"""ShapeNet55, the pre-training data of the paper (section 4.1)."""
from pathlib import Path

import numpy as np

from m2ae_mm.files import load_array
from mmdet3d.registry import DATASETS

from .io.problems import Problems
from .shape_dataset import ShapeDataset, check_cloud, read_lines

_POINTS = 8192


@DATASETS.register_module()
class M2AEShapeNet55(ShapeDataset):
    """ShapeNet55: ``(8192, 3)`` points per shape.

    The published pre-training list is ``train`` (41,952 shapes);
    ``split=['train', 'test']`` gives all of them. The label is the index of
    the shape's synset among those of the lists read.
    """

    LAYOUT = ('Expected ShapeNet-55/train.txt and test.txt with lines like 02691156-<id>.npy, and these files in '
              'shapenet_pc/, each (8192, 3).')

    def list_shapes(self, problems: Problems) -> list[dict]:
        """One entry a line of the lists; checks that every file is there and not cut short."""
        root = Path(self.data_root)
        listed = [(split, name) for split in self.splits
                  for name in read_lines(root / 'ShapeNet-55' / f'{split}.txt', problems)]
        problems.checked += len(listed)
        folder = root / 'shapenet_pc'
        # Reading the folder once is much faster than asking for each of 50,000 files.
        sizes = {entry.name: entry.stat().st_size for entry in folder.iterdir()} if folder.is_dir() else {}
        for _, name in listed:
            if name not in sizes:
                problems.add('missing', folder / name)
            elif sizes[name] < _POINTS * 3 * 4:
                problems.add('short', folder / name, f'{sizes[name]} bytes, at least {_POINTS * 3 * 4} needed')
        synsets = sorted({name.partition('-')[0] for _, name in listed})
        return [
            dict(name=name, path=str(folder / name), gt_label=synsets.index(name.partition('-')[0]), split=split)
            for split, name in listed
        ]

    def read(self, info: dict) -> np.ndarray:
        """``(8192, 3)``."""
        try:
            points = load_array(info['path'])
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f'{info["path"]} cannot be read as a .npy file: {error}') from error
        return check_cloud(points, info['path'], min_points=_POINTS)[:, :3]

