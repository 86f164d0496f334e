"""What can be measured, by name. Imports no torch: the options are checked before anything heavy is loaded."""
from __future__ import annotations

import importlib
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .work import Setting, Work


class Case(NamedTuple):
    """One measurement; cases of one title are compared with each other.

    Attributes:
        title: What is done, and its size.
        variant: ``'ours'``, or what it is compared with: ``'reference'`` (PyTorch references of the operators),
            ``'plain'`` (baseline in stock PyTorch, its memory allocator as it comes), ``'plain+tuned'`` (the same with
            our tools' settings of allocator and threads).
        function: ``module.function`` of this package that sets it up.
        options: Its arguments before the setting.
        on_cpu, on_cuda: Clouds a call by default.
        network: Whether precision and compilation make a difference.
    """
    title: str
    variant: str
    function: str
    options: dict
    on_cpu: int
    on_cuda: int
    network: bool = False

    def build(self, setting: Setting) -> Work:
        """Set it up."""
        module, name = self.function.split('.')
        return partial(getattr(importlib.import_module(f'.{module}', __package__), name), **self.options)(
            setting=setting)


# Calls on the GPU use the batch sizes of the published trainings. So does classification on the CPU; the linear SVM's
# loaders have 32, too, and pre-training's 128 would take the plain version some 20 GB.
SHAPES, SCENES = dict(on_cpu=16, on_cuda=128), dict(on_cpu=1, on_cuda=8)
# Points, centres, neighbours.
SHAPE_SCALES, SCENE_SCALE = [(2048, 512, 16), (512, 256, 8), (256, 64, 8)], (40000, 2048, 32)


def operator(title: str, function: str, batches: dict, **options) -> list[Case]:
    """Ours and the reference."""
    return [Case(title, variant, f'operators.{function}', dict(options, reference=variant == 'reference'), **batches)
            for variant in ('ours', 'reference')]


def network(title: str, function: str, on_cpu: int, on_cuda: int, variant: str = 'ours', **options) -> Case:
    """A step of a model."""
    return Case(title, variant, f'models.{function}', options, on_cpu, on_cuda, network=True)


def plain(title: str, function: str, on_cpu: int, on_cuda: int) -> list[Case]:
    """A step of the baseline, with and without our settings of the allocator."""
    return [network(title, function, on_cpu, on_cuda, variant) for variant in ('plain', 'plain+tuned')]


def _sampling_and_neighbors() -> tuple[list[Case], list[Case]]:
    sampling, neighbors = [], []
    for scene, scales, batches in ((False, SHAPE_SCALES, SHAPES), (True, [SCENE_SCALE], SCENES)):
        for count, picks, k in scales:
            sampling += operator(f'fps {count}->{picks}', 'fps', batches, count=count, picks=picks, scene=scene)
            neighbors += operator(f'knn {picks} in {count}, k={k}', 'knn', batches, count=count, queries=picks, k=k,
                                  scene=scene)
    return sampling, neighbors


def _balls() -> list[Case]:
    # The two set abstractions of 3DETR-m.
    sizes = [(40000, 2048, 0.2, 64), (2048, 1024, 0.4, 32)]
    return sum((operator(f'ball_query {queries} in {count}, {radius} m', 'ball_query', SCENES, count=count,
                         queries=queries, radius=radius, k=k) for count, queries, radius, k in sizes), [])


_SAMPLING, _NEIGHBORS = _sampling_and_neighbors()
CASES: dict[str, list[Case]] = {
    'fps': _SAMPLING,
    'knn': _NEIGHBORS,
    'ball_query': _balls(),
    # The decoders of shape and of scene pre-training.
    'interpolation': [
        *operator('interpolation 64->256', 'interpolation', SHAPES, coarse=64, fine=256, channels=384, scene=False),
        *operator('interpolation 256->1024', 'interpolation', SCENES, coarse=256, fine=1024, channels=384, scene=True)],
    'chamfer': operator('chamfer 16 to 8 points', 'chamfer', SHAPES),
    'pretrain': [network('pretrain step', 'pretrain', 32, 128)],
    'pretrain_plain': plain('pretrain step', 'pretrain_plain', 32, 128),
    'features': [network('features', 'features', 32, 128)],
    'features_plain': plain('features', 'features_plain', 32, 128),
    'classify': [
        network('classify step', 'classify', 32, 32, from_files=False),
        network('classify step from 8192', 'classify', 32, 32, from_files=True)],
    'classify_plain': plain('classify step', 'classify_plain', 32, 32),
    'detect_train': [network('detect step', 'detect_train', 2, 8)],
    # Queries and tokens.
    'vdetr_train': [
        network('V-DETR step 256x1024', 'detect_train', 1, 8, config='m2ae_mm::vdetr/vdetr-3detr-m_scannet.py'),
        network('V-DETR step 1024x2048', 'detect_train', 1, 8, config='m2ae_mm::vdetr/vdetr-m2ae_scannet.py')],
    'detect_infer': [network('detect inference', 'detect_infer', 2, 8)],
    'data': [
        Case('data ShapeNet55', 'ours', 'loading.shapenet55', {}, 128, 128),
        Case('data pack', 'ours', 'loading.pack', {}, 128, 128),
        Case('data rooms', 'ours', 'loading.rooms', {}, 8, 8)],
}
