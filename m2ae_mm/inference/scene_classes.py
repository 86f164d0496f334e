"""Classes of the points of scans of rooms."""
from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from torch import nn

from m2ae_mm.datasets.io.ply import write_ply
from m2ae_mm.datasets.scene_segmentation import seg_palette
from m2ae_mm.visualization.boxes import to_numpy
from m2ae_mm.visualization.labels import label_colours, labels_image
from mmdet3d.models.segmentors.base import Base3DSegmentor

from .base import Entry
from .results import Writer, plain
from .scenes import SceneInferencer


class M2AESceneSegInferencer(SceneInferencer):
    """The class of each point of scans of rooms: our segmentors of scenes and mmdet3d's.

    Options of a call: ``unit``, ``up``, ``align`` and ``columns``, see
    :func:`read_source`; ``return_vis``, ``out_dir`` and ``write``.

    Each prediction holds ``name``, ``points`` (N, 3) float64, those of the
    scan in its own frame, ``labels`` (N,) int64, ``classes``, the names in
    the order of the labels, and ``frame``.

    Args:
        args, kwargs: See :class:`M2AEInferencer`.
    """

    command = 'segment'
    tasks = ('semantic segmentation', )
    default = 'rooms_seg'
    formats = ('json', 'ply', 'png', 'html', 'npz')
    def accepts(self, model: nn.Module) -> bool:
        """Segmentors of scenes."""
        return isinstance(model, Base3DSegmentor)

    def result(self, entry: Entry, sample: Any) -> dict:
        """See the class; a point that the pipeline left out gets the class of the nearest point."""
        labels, source = to_numpy(sample.pred_pts_seg.pts_semantic_mask).astype(np.int64), entry.source
        if len(labels) != len(source.scan.xyz):
            given = to_numpy(entry.packed['inputs']['points'])[:, :3]
            labels = labels[cKDTree(given).query(self.pipeline.place(source))[1]]
        names = tuple(self.class_name(label) for label in range(self.model.num_classes))
        return dict(name=entry.item.name, points=source.scan.xyz, labels=labels, classes=names,
                    frame=source.frame.describe())

    def write(self, result: dict, entry: Entry, writer: Writer) -> None:
        """Points per class as JSON; labelled points as PLY and arrays; a page."""
        stem, labels, names = entry.item.stem, result['labels'], result['classes']
        palette = seg_palette(names)
        counts = np.bincount(labels, minlength=len(names))
        writer.json(stem, plain(dict(scan=result['name'], model=self.title, frame=result['frame'],
                                     points=dict(zip(names, counts)))))
        if path := writer.path('ply', stem):
            write_ply(path, result['points'], label_colours(labels, palette).astype(np.uint8), label=labels)
        if path := writer.path('npz', stem):
            np.savez(path, points=result['points'], labels=labels, classes=np.array(names))
        if path := writer.path('html', stem):
            from m2ae_mm.visualization.page import write_labels_page
            write_labels_page(path, entry.source.frame.apply(result['points']), None, labels, names, palette,
                              f'{result["name"]}: classes by {self.title}')

    def picture(self, entry: Entry, result: dict) -> np.ndarray:
        """The room, opened in front, in the colours of its classes; ``(H, W, 3)`` uint8."""
        return labels_image(entry.source.frame.apply(result['points']), None, result['labels'], result['classes'],
                            seg_palette(result['classes']))
