"""What the figures of metrics are called, known before anything is evaluated."""
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mmdet3d.evaluation import IndoorMetric, InstanceSegMetric, SegMetric
from mmdet3d.registry import METRICS


class MetricNames(NamedTuple):
    """Figures of one metric, as its ``compute_metrics`` returns them.

    Metrics state them as the class attribute ``metric_names``, or a static
    method of that name if they depend on options and classes.

    Attributes:
        main: The one to choose a checkpoint by.
        others: Further ones that it may return, the most important first.
        lower_is_better: Those that are better the lower they are.
    """
    main: str
    others: tuple[str, ...] = ()
    lower_is_better: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """The main one first."""
        return self.main, *self.others


def names_of(metric: Mapping, classes: Sequence[str]) -> MetricNames | None:
    """Full names of what the metric of a config will return, with its prefix; None if it does not state them."""
    kind = METRICS.get(metric['type']) if isinstance(metric['type'], str) else metric['type']
    if kind is None:
        return None  # the registry says so
    stated = getattr(kind, 'metric_names', None) or next(
        (names for base, names in _OF_MMDET3D.items() if kind.compute_metrics is base.compute_metrics), None)
    if callable(stated):
        defaults = {name: each.default for name, each in inspect.signature(kind).parameters.items()}
        stated = stated({**defaults, **metric}, classes)
    if stated is None:
        return None
    prefix = metric.get('prefix') or getattr(kind, 'default_prefix', None)
    if not prefix:
        return stated
    return MetricNames(*(
        f'{prefix}/{part}' if isinstance(part, str) else tuple(f'{prefix}/{name}' for name in part) for part in stated))


def indoor_names(options: Mapping, classes: Sequence[str]) -> MetricNames:
    """Those of ``IndoorMetric`` with the given options; AP at the IoU next to 0.5 is the main one."""
    thresholds = options['iou_thr'] if isinstance(options['iou_thr'], Sequence) else [options['iou_thr']]
    main = f'mAP_{min(thresholds, key=lambda each: abs(each - 0.5)):.2f}'
    names = [f'{name}_{each:.2f}' for name in ('mAP', 'mAR') for each in thresholds]
    names += [f'{owner}_{name}_{each:.2f}' for name in ('AP', 'rec') for owner in classes for each in thresholds]
    return MetricNames(main, tuple(name for name in names if name != main))


def semantic_names(options: Mapping, classes: Sequence[str]) -> MetricNames:
    """Those of ``SegMetric``."""
    return MetricNames('miou', ('acc', 'acc_cls', *classes))


# Classes that compute exactly what these do. The names of outdoor metrics depend on much more.
_OF_MMDET3D: dict[type, Callable[[Mapping, Sequence[str]], MetricNames]] = {
    IndoorMetric: indoor_names, SegMetric: semantic_names,
    InstanceSegMetric: lambda *_: MetricNames('all_ap_50%', ('all_ap', 'all_ap_25%', 'classes'))}
