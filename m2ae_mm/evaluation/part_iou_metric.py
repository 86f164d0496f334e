"""Part segmentation, scored as on ShapeNetPart."""
from collections.abc import Mapping, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from m2ae_mm.samples import sample_label, sample_name
from mmdet3d.registry import METRICS

from .finite import require_finite
from .metric_names import MetricNames


@METRICS.register_module()
class M2AEPartIoU(BaseMetric):
    """Mean IoU of parts in percent: over shapes (``instance_miou``) and over categories (``category_miou``).

    As published: only the parts of the shape's category can be predicted, a
    shape's IoU is the mean over all parts of its category, and a part absent
    from both prediction and truth counts as 1.

    The data set's metainfo must have ``parts``: category -> part labels, in
    the order of the category labels.
    """

    default_prefix = 'part'
    metric_names = MetricNames('instance_miou', ('category_miou', 'accuracy'))

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Score each shape: ``pts_seg_logits`` (parts, N) against ``gt_pts_seg`` (N,).

        Raises:
            ValueError: For a sample without a category or without part labels, or a data set without parts.
        """
        require_finite(data_samples)
        for sample in data_samples:
            label = sample_label(sample)
            if 'gt_pts_seg' not in sample:
                raise ValueError(f'{sample_name(sample)} has no part labels to score its parts by; leave such shapes '
                                 'out of the data set.')
            parts = list(self._parts().values())[label]
            scores = sample['pts_seg_logits']['pts_seg_logits'].float().cpu().numpy()
            truth = sample['gt_pts_seg']['pts_semantic_mask'].cpu().numpy()
            predicted = np.asarray(parts)[scores[list(parts)].argmax(0)]
            self.results.append((label, shape_iou(predicted, truth, parts), float((predicted == truth).mean())))

    def _parts(self) -> Mapping[str, Sequence[int]]:
        parts = self.dataset_meta.get('parts')
        if not isinstance(parts, Mapping):
            raise ValueError("metainfo.parts of the data set must be a dictionary of part labels by category, such as "
                             f"dict(lamp=(0, 1), mug=(2, 3)), got {parts!r}.")
        return parts

    def compute_metrics(self, results: list[tuple[int, float, float]]) -> dict[str, float]:
        """Means in percent; categories without a shape are left out. Logs a table by category."""
        labels, ious, accuracies = (np.array(column) for column in zip(*results))
        names = list(self.dataset_meta['parts'])
        by_category = {names[label]: 100 * float(ious[labels == label].mean()) for label in np.unique(labels)}
        table = [f'  {name:<14}{int((labels == names.index(name)).sum()):>6}{value:>8.2f}'
                 for name, value in by_category.items()]
        print_log('\n'.join(['part IoU by category (shapes, %):', *table]), 'current')
        return dict(
            instance_miou=100 * float(ious.mean()),
            category_miou=float(np.mean(list(by_category.values()))),
            accuracy=100 * float(accuracies.mean()))


def shape_iou(predicted: np.ndarray, truth: np.ndarray, parts: Sequence[int]) -> float:
    """Mean IoU of one shape's ``(N,)`` labels over ``parts``; a part that neither has counts as 1."""
    ious = []
    for part in parts:
        ours, theirs = predicted == part, truth == part
        union = (ours | theirs).sum()
        ious.append((ours & theirs).sum() / union if union else 1.)
    return float(np.mean(ious))
