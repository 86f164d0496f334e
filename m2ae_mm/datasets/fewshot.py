"""Few-shot episodes: K classes, N training shapes each (paper section 4.2)."""
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from m2ae_mm.errors import UserError, reading
from mmdet3d.registry import DATASETS

from .io.pickles import read_pickle
from .io.problems import Problems
from .shape_dataset import LoadedShapeDataset, ShapeDataset, check_cloud, whole_labels


@DATASETS.register_module()
class M2AEFewShot(LoadedShapeDataset):
    """One fold of K-way N-shot classification.

    Reads ``{way}way_{shot}shot/{fold}.pkl`` where this folder is, and
    otherwise draws an episode from ``source``: ``way`` classes, ``shot``
    training shapes of each from its split ``train``, up to ``test_shots`` from
    its split ``test``. The draw depends on seed, way, shot and fold only.

    Args:
        data_root: Folder with the published episodes (``ModelNetFewshot``).
        split: ``'train'`` or ``'test'``.
        way: Classes K.
        shot: Training shapes N of each class.
        fold: Number of the episode, 0 to 9.
        source: Config of a labelled shape data set without its ``split``, or
            None if episodes are only read.
        test_shots: Test shapes of each class in drawn episodes.
        seed: Of drawn episodes.
        kwargs: Options of :class:`ShapeDataset`.
    """

    LAYOUT = ('Expected {5,10}way_{10,20}shot/{0..9}.pkl, each {"train": [(points, label, _), ...], "test": ...}. '
              'Without this folder, episodes are drawn from source: set it to a labelled data set such as '
              'dict(type="M2AEModelNet40", data_root=...).')

    def __init__(self,
                 data_root: str,
                 split: str | Sequence[str] = 'train',
                 way: int = 5,
                 shot: int = 10,
                 fold: int = 0,
                 source: dict | None = None,
                 test_shots: int = 20,
                 seed: int = 0,
                 **kwargs) -> None:
        for option, value, least in (('way', way, 1), ('shot', shot, 1), ('fold', fold, 0),
                                     ('test_shots', test_shots, 1), ('seed', seed, 0)):
            if not isinstance(value, int) or value < least:
                raise UserError(f'{option} must be a whole number from {least} on, got {value!r}.')
        self.way, self.shot, self.fold = way, shot, fold
        self.source = source
        self.test_shots = test_shots
        self.seed = seed
        super().__init__(data_root, split, **kwargs)

    def load_shapes(self, problems: Problems, add: Callable) -> None:
        """Read the episode, or draw it."""
        path = Path(self.data_root) / f'{self.way}way_{self.shot}shot' / f'{self.fold}.pkl'
        # A folder that lacks some episodes is incomplete: drawn ones would be averaged with those of the others.
        if self.source is None or path.parent.is_dir():
            if problems.check_file(path):
                self._read_episode(path, add)
        else:
            self._draw_episode(path, add)

    def _read_episode(self, path: Path, add: Callable) -> None:
        with reading(path, 'as a dictionary with lists of (points, label) under train and test'):
            content = read_pickle(path)
            for split in self.splits:
                labels = whole_labels([label for _, label, *_ in content[split]], path)
                if self.way <= max(labels, default=-1):
                    raise UserError(f'{path}: the label {max(labels)}, in an episode of {self.way} classes')
                for i, (points, *_) in enumerate(content[split]):
                    cloud = check_cloud(np.asarray(points), path)[:, :3]
                    add(cloud, name=f'{path.stem}/{split}/{i}', gt_label=labels[i], split=split)

    def _draw_episode(self, path: Path, add: Callable) -> None:
        options = dict(self.source, serialize_data=False)
        if _takes_place(options['type']):
            options['place'] = f'{self.place}.source'
        try:
            pools = {split: DATASETS.build(dict(options, split=split)) for split in ('train', 'test')}
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{error}\nM2AEFewShot draws from it, as there is no folder {str(path.parent)!r} of episodes. '
                f'If they lie elsewhere, set {self.place}.data_root.') from error
        pool = pools['train']
        print_log(f'M2AEFewShot: no folder {str(path.parent)!r}, so {", ".join(self.splits)} of fold {self.fold} '
                  f'is drawn from {type(pool).__name__} in {pool.data_root!r} with seed {self.seed}', 'current')
        members = {split: _by_label(pool) for split, pool in pools.items()}
        able = sorted(label for label, found in members['train'].items()
                      if len(found) >= self.shot and label in members['test'])
        if len(able) < self.way:
            raise ValueError(f'{self.way}-way {self.shot}-shot needs {self.way} classes with {self.shot} training and '
                             f'some test shapes; {self.source["type"]} has {len(able)} such classes.')
        # One generator for both splits, so that they agree on the classes.
        rng = np.random.default_rng([self.seed, self.way, self.shot, self.fold])
        for new, label in enumerate(rng.permutation(able)[:self.way].tolist()):
            for split, count in (('train', self.shot), ('test', self.test_shots)):
                chosen = rng.permutation(members[split][label])[:count].tolist()
                for i in chosen if split in self.splits else ():
                    info = pools[split].get_data_info(i)
                    add(pools[split].cloud(info), name=info['name'], gt_label=new, split=split)


def _takes_place(kind: str | type) -> bool:
    """Whether a data set has the option ``place``, as ours do."""
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    return kind is not None and any(
        each.name == 'place' or each.kind == each.VAR_KEYWORD for each in inspect.signature(kind).parameters.values())


def _by_label(dataset: ShapeDataset) -> dict[int, list[int]]:
    """Positions of the shapes of every class."""
    result: dict[int, list[int]] = {}
    for i in range(len(dataset)):
        result.setdefault(dataset.get_data_info(i)['gt_label'], []).append(i)
    result.pop(-1, None)
    return result
