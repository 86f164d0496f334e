"""Finds data sets that give one label to different classes, or do not fit the head."""
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import ConfigDict

from m2ae_mm.class_names import as_option, check_class_names
from m2ae_mm.datasets import M2AEFolder
from m2ae_mm.datasets.fewshot import M2AEFewShot
from m2ae_mm.datasets.folder import folder_classes
from m2ae_mm.errors import UserError
from mmdet3d.datasets import (
    Det3DDataset,
    S3DISDataset,
    S3DISSegDataset,
    ScanNetDataset,
    ScanNetSegDataset,
    SUNRGBDDataset,
)
from mmdet3d.datasets.seg3d_dataset import Seg3DDataset
from mmdet3d.registry import DATASETS

from .config_parts import class_of


def check_classes(trained: Sequence[tuple[str, ConfigDict]], used: Sequence[tuple[str, ConfigDict]],
                  num_classes: int) -> None:
    """Fail if an ``M2AEFolder`` numbers its classes differently from the training data, or the head has another number.

    A head may have more classes than the folders of a test: it may have been trained so.

    Args:
        trained: Training data sets with their places in the config. They need
            not exist for a test, which then only compares how many classes
            there are.
        used: Those about to be used, the training data among them to train.
        num_classes: Of the head.

    Raises:
        UserError: Listing both, and how to set the classes or the head.
    """
    reference = next(((path, classes) for path, dataset in trained if (classes := _classes(path, dataset))), None)
    # Other training data can have classes that the folders lack.
    all_known = reference is not None and all(_is_folder(dataset) for _, dataset in trained)
    places = [path for path, _ in used]
    training = any(path in places for path, _ in trained)
    for path, dataset in used:
        classes = _classes(path, dataset)
        if not classes:
            continue
        if reference is not None and classes != reference[1]:
            names = [*reference[1], *(name for name in classes if name not in reference[1])]
            raise UserError(
                f'folders of shapes number their classes by name, and these differ, so their labels would not mean the '
                f'same. {reference[0]}: {", ".join(reference[1])}; {path}: {", ".join(classes)}. Give all of them the '
                f'same list: --cfg-options {" ".join(_option(place, names) for place, _ in used)}')
        if reference is None and not dataset.get('classes') and len(classes) != num_classes:
            raise UserError(
                f'{path} has {len(classes)} classes ({", ".join(classes)}), the head {num_classes}, and the training '
                'data are not there to tell which is which. List the classes in the order of training: --cfg-options '
                f'{_option(path, ["FIRST", "SECOND", "..."])}')
        if len(classes) > num_classes or (training and all_known and len(classes) < num_classes):
            advice = 'A classifier needs two classes or more: one folder for each.'
            if len(classes) > 1:
                advice = f'Give it as many: --cfg-options model.head.num_classes={len(classes)}'
            raise UserError(f'{path} has {len(classes)} classes ({", ".join(classes)}), the head {num_classes}. '
                            f'{advice}')


def check_episodes(used: Sequence[tuple[str, ConfigDict]], num_classes: int) -> None:
    """Fail if few-shot episodes and the head have different numbers of classes.

    Raises:
        UserError: Naming both, and the option to set.
    """
    for path, dataset in used:
        way = dataset.get('way', 5)
        if class_of(DATASETS, dataset) is M2AEFewShot and way != num_classes:
            raise UserError(f'{path} has episodes of {way} classes, the head {num_classes}. Give it as many: '
                            f'--cfg-options model.head.num_classes={way}')


def check_named_classes(trained: Sequence[tuple[str, ConfigDict]], used: Sequence[tuple[str, ConfigDict]],
                        num_classes: int) -> None:
    """Fail if mmdet3d's data sets number their classes differently from the training data or the head.

    Args:
        trained: Training data sets with their places in the config, which need not exist.
        used: Those about to be used.
        num_classes: Of the head.

    Raises:
        UserError: Listing both.
    """
    named = [(path, classes) for path, dataset in [*trained, *used] if (classes := named_classes(path, dataset))]
    for path, classes in named:
        if classes != named[0][1]:
            raise UserError(
                'labels are numbers in the list of classes, and these lists differ, so labels would not mean the same. '
                f'{named[0][0]}: {", ".join(named[0][1])}; {path}: {", ".join(classes)}. Set metainfo.classes of all '
                'data sets to the list of the training.')
    if named and len(named[0][1]) != num_classes:
        raise UserError(f'{named[0][0]} has {len(named[0][1])} classes ({", ".join(named[0][1])}), the head '
                        f'{num_classes}. Give it as many: model.bbox_head.num_classes={len(named[0][1])}.')


def named_classes(path: str, dataset: ConfigDict) -> tuple[str, ...]:
    """Classes of a data set of mmdet3d at ``path`` in the config: those that its config lists, else its own, if any.

    Raises:
        UserError: If the config lists no names, or names that the data set does not know.
    """
    kind = class_of(DATASETS, dataset)
    if kind is None or not issubclass(kind, Det3DDataset | Seg3DDataset):
        return ()
    known = tuple(kind.METAINFO.get('classes') or ())
    listed = (dataset.get('metainfo') or {}).get('classes')
    if listed is None:
        return known
    names = check_class_names(listed, f'{path}.metainfo.classes')
    if issubclass(kind, ScanNetSegDataset | S3DISSegDataset) and names != known:
        raise UserError(f'{path}.metainfo.classes lists {", ".join(names)}, and {kind.__name__} maps the values in '
                        f'masks to its own {len(known)} classes whatever is listed ({", ".join(known)}). For classes '
                        f'of your own set {path}.type=M2AESceneSegDataset; see docs/tasks/semantic_segmentation.md.')
    unknown = [name for name in names if name not in known]
    if known and unknown:
        way = 'Derive a data set of your own from it, with METAINFO=dict(classes=(...)).'
        if issubclass(kind, ScanNetDataset | SUNRGBDDataset | S3DISDataset):
            way = (f'For classes of your own, in the order of the labels of the annotation file, set {path}.type='
                   'M2AESceneDataset.')
        raise UserError(f'{path}.metainfo.classes names {", ".join(map(repr, unknown))}, and {kind.__name__} knows '
                        f'{", ".join(known)} only. {way}')
    return names


def _classes(path: str, dataset: ConfigDict) -> tuple[str, ...]:
    """Names in the order of the labels; none if the data set is no folder of shapes, or not there."""
    if not _is_folder(dataset):
        return ()
    if dataset.get('classes'):
        return check_class_names(dataset.classes, f'{path}.classes')
    return folder_classes(dataset.data_root) if Path(dataset.data_root).is_dir() else ()


def _is_folder(dataset: ConfigDict) -> bool:
    return class_of(DATASETS, dataset) is M2AEFolder


def _option(path: str, names: Sequence[str]) -> str:
    return f'{path}.classes={as_option(names)}'
