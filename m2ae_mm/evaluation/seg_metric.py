"""Semantic segmentation scored by how often classes are taken for each other."""
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from m2ae_mm.samples import sample_name
from mmdet3d.evaluation import SegMetric
from mmdet3d.evaluation.functional.seg_eval import fast_hist, get_acc, get_acc_cls, per_class_iou
from mmdet3d.registry import METRICS

from .metric_names import semantic_names


@METRICS.register_module()
class M2AESegMetric(SegMetric):
    """``SegMetric`` that keeps a confusion matrix of each scene, not the labels of all its points.

    Figures and names are those of ``SegMetric``; the table has a line a class.
    With ``submission_prefix`` it is ``SegMetric``. The options are the same.

    Attributes:
        confusion: ``(C, C)`` int64 of the last evaluation, see :func:`figures`; None before it, and in all processes
            but the first.
    """

    metric_names = staticmethod(semantic_names)
    confusion: np.ndarray | None = None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """See ``SegMetric``.

        Raises:
            ValueError: If a scene has not as many predictions as labels.
        """
        if self.submission_prefix:
            super().process(data_batch, data_samples)
            return
        for sample in data_samples:
            truth = np.asarray(sample['eval_ann_info']['pts_semantic_mask']).astype(np.int64)
            found = sample['pred_pts_seg']['pts_semantic_mask'].cpu().numpy()
            if len(truth) != len(found):
                raise ValueError(f'{sample_name(sample)} has {len(truth)} labels and {len(found)} predictions. Take '
                                 'steps that drop points, as PointSample, out of the pipeline of the test; '
                                 'model.test_cfg.num_points says how many the encoder sees.')
            truth[truth == self.dataset_meta['ignore_index']] = -1
            self.results.append(fast_hist(found, truth, len(self.dataset_meta['label2cat'])))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """IoU by class, ``miou``, ``acc`` (of all points) and ``acc_cls`` (mean over classes)."""
        if self.submission_prefix:
            return super().compute_metrics(results)
        classes = [name for _, name in sorted(self.dataset_meta['label2cat'].items())]
        self.confusion = sum(results, np.zeros((len(classes), ) * 2, np.int64))
        found = figures(self.confusion, classes)
        print_log(f'\n{table(self.confusion, classes)}', logger='current')
        return found


def figures(confusion: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """What ``SegMetric`` returns: IoU by class, ``miou``, ``acc`` and ``acc_cls``, from 0 to 1.

    Classes that neither occur nor are predicted are NaN and have no part in the means.

    Args:
        confusion: ``(C, C)``, how many points of a class (row) are taken for each class (column).
        classes: Names in the order of their labels.
    """
    confusion = np.asarray(confusion)
    if not confusion.any():
        return dict.fromkeys((*classes, 'miou', 'acc', 'acc_cls'), float('nan'))
    with np.errstate(invalid='ignore'):
        iou = per_class_iou(confusion)
        overall = dict(miou=np.nanmean(iou), acc=get_acc(confusion), acc_cls=get_acc_cls(confusion))
    return {name: float(value) for name, value in [*zip(classes, iou), *overall.items()]}


def table(confusion: np.ndarray, classes: Sequence[str]) -> str:
    """The figures of :func:`figures` in percent, a line a class, with the number of its points."""
    found, points = figures(confusion, classes), np.asarray(confusion).sum(1)
    width = max(map(len, classes)) + 2
    lines = [f'{"class":<{width}}{"IoU":>8}{"points":>16}']
    lines += [f'{name:<{width}}{100 * found[name]:>8.2f}{count:>16,}' for name, count in zip(classes, points)]
    return '\n'.join([*lines, line(found)])


def line(found: dict[str, float]) -> str:
    """The means of :func:`figures`, in percent."""
    return (f'mIoU {100 * found["miou"]:.2f}, accuracy {100 * found["acc"]:.2f}, mean accuracy of the classes '
            f'{100 * found["acc_cls"]:.2f}')
