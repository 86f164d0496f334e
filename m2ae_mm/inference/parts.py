"""Parts of shapes."""
from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from torch import nn

from m2ae_mm.datasets.io.ply import write_ply
from m2ae_mm.models.segmentors.point_m2ae_segmentor import PointM2AESegmentor
from m2ae_mm.visualization.colours import distinct_colours
from m2ae_mm.visualization.figures import parts_image
from m2ae_mm.visualization.text import save

from .base import Entry, Item
from .results import Writer, plain
from .shapes import ShapeInferencer, host


class M2AESegmentInferencer(ShapeInferencer):
    """The part that each point of a shape belongs to.

    Options of a call: ``category``, the category of the shapes by name or
    number; ``up``, the axis that points up in the files; ``return_vis``, ``out_dir`` and ``write``.

    Each prediction holds ``name``, ``points`` (N, 3), those of the file or
    drawn from its surface, and ``parts`` (N,) int64; of points that the model
    did not get, the part of the nearest one that it got.

    Args:
        args, kwargs: See :class:`M2AEInferencer`.
    """

    command = 'segment'
    tasks = ('part segmentation', )
    formats = ('json', 'ply', 'png', 'html', 'npz')
    preprocess_kwargs = {'up', 'category'}

    def accepts(self, model: nn.Module) -> bool:
        """Part segmentors."""
        return isinstance(model, PointM2AESegmentor)

    def read(self, item: Item, up: str = 'z', category: str | int | None = None) -> Entry:
        """A shape of a category."""
        return super().read(item, up, self._category(category))

    def _category(self, category: str | int | None) -> int:
        names, count = self.model.dataset_meta['classes'], self.model.head.num_categories
        if category is None and count == 1:
            return 0
        if category in names:
            return names.index(category)
        if str(category).isdecimal() and int(category) < count:
            return int(category)
        known = ', '.join(names) or f'0 to {count - 1}'
        raise ValueError(f'the model needs the category of the shape (--category, in Python category=...), one of '
                         f'{known}; got {category!r}')

    def result(self, entry: Entry, sample: Any) -> dict:
        """See the class."""
        given = host(entry.packed['inputs']['points'])[:, :3]
        parts = host(sample.pred_pts_seg.pts_semantic_mask)
        nearest = cKDTree(given[:len(parts)]).query(entry.source.points)[1]
        return dict(name=entry.item.name, points=entry.source.cloud, parts=parts[nearest].astype(np.int64))

    def write(self, result: dict, entry: Entry, writer: Writer) -> None:
        """How many points each part has as JSON; points with their parts as PLY and arrays; a picture, a page."""
        stem, (numbers, counts) = entry.item.stem, np.unique(result['parts'], return_counts=True)
        colours = np.round(255 * distinct_colours(len(numbers), soft=True))
        writer.json(stem, plain(dict(shape=result['name'], model=self.title,
                                     parts=dict(zip(map(str, numbers), counts)))))
        if path := writer.path('ply', stem):
            write_ply(path, result['points'], colours[np.searchsorted(numbers, result['parts'])].astype(np.uint8),
                      part=result['parts'])
        if path := writer.path('npz', stem):
            np.savez(path, points=result['points'], parts=result['parts'])
        if path := writer.path('png', stem):
            save(self.picture(entry, result), path)
        if path := writer.path('html', stem):
            from m2ae_mm.visualization.page import write_cloud_page
            write_cloud_page(path, {f'part {number}': entry.source.points[result['parts'] == number]
                                    for number in numbers}, colours, f'{result["name"]}: parts by {self.title}')

    def picture(self, entry: Entry, result: dict) -> np.ndarray:
        """The shape, one colour a part."""
        return parts_image(entry.source.points, None, result['parts'])
