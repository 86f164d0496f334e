"""ShapeNetPart: shapes with part labels."""
from pathlib import Path

import numpy as np

from m2ae_mm.errors import reading
from m2ae_mm.files import inside, read_json
from mmdet3d.registry import DATASETS

from .io.clouds import read_columns
from .io.problems import Problems
from .shape_dataset import ShapeDataset, check_cloud, read_lines

# Part labels of each category, as published with the data.
PARTS = dict(
    Airplane=(0, 1, 2, 3), Bag=(4, 5), Cap=(6, 7), Car=(8, 9, 10, 11), Chair=(12, 13, 14, 15), Earphone=(16, 17, 18),
    Guitar=(19, 20, 21), Knife=(22, 23), Lamp=(24, 25, 26, 27), Laptop=(28, 29), Motorbike=(30, 31, 32, 33, 34, 35),
    Mug=(36, 37), Pistol=(38, 39, 40), Rocket=(41, 42, 43), Skateboard=(44, 45, 46), Table=(47, 48, 49))


@DATASETS.register_module()
class M2AEShapeNetPart(ShapeDataset):
    """ShapeNetPart with normals left out: 16 categories, 50 parts.

    ``split=['train', 'val']`` gives the 14,007 shapes that the field trains
    on. ``gt_label`` is the category, ``pts_semantic_mask`` the part of each
    point. Give a ``cache_dir`` to parse the text only once.
    """

    HAS_PARTS = True
    SPLITS = ('train', 'val', 'test')
    METAINFO = dict(classes=tuple(PARTS), parts=PARTS)
    LAYOUT = ('Expected the folder shapenetcore_partanno_segmentation_benchmark_v0_normal with '
              'synsetoffset2category.txt, train_test_split/shuffled_{train,val,test}_file_list.json and '
              '<synset>/<id>.txt (x y z nx ny nz part).')

    def list_shapes(self, problems: Problems) -> list[dict]:
        """One entry of the lists each."""
        root = Path(self.data_root)
        table = root / 'synsetoffset2category.txt'
        with reading(table):
            categories = {synset: name for name, synset in map(str.split, read_lines(table, problems))}
        shapes = []
        for split in self.splits:
            listed = root / 'train_test_split' / f'shuffled_{split}_file_list.json'
            for entry in read_json(listed, list) if problems.check_file(listed) else ():
                if not isinstance(entry, str) or entry.count('/') != 2:
                    problems.add('unreadable', listed, f'it lists {entry!r}, expected shape_data/<synset>/<id>')
                    continue
                _, synset, name = entry.split('/')
                path = inside(root, f'{synset}/{name}.txt')
                problems.check_file(path)
                category = categories.get(synset)
                if category not in PARTS:
                    problems.add('unreadable', path, f'synset {synset} has no category among {", ".join(PARTS)}')
                    continue
                shapes.append(
                    dict(name=f'{synset}/{name}', path=str(path), category=category,
                         gt_label=list(PARTS).index(category), split=split))
        return shapes

    def read(self, info: dict) -> np.ndarray:
        """``(N, 4)``: coordinates and part label."""
        path = info['path']
        cloud = check_cloud(read_columns(path), path, columns=7)[:, [0, 1, 2, -1]]
        parts = PARTS[info['category']]
        if not np.isin(cloud[:, 3], parts).all():
            raise ValueError(f'{path}: a {info["category"]} has the part labels {parts}, found '
                             f'{np.unique(cloud[:, 3]).astype(int).tolist()}')
        return cloud
