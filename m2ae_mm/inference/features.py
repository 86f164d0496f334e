"""Features of shapes and scans."""
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from m2ae_mm.datasets.io.scans import SCAN_SUFFIXES
from m2ae_mm.errors import UserError
from m2ae_mm.models.classifiers import PointM2AEClassifier
from m2ae_mm.models.segmentors import PointM2AESegmentor
from m2ae_mm.models.selfsup import PointM2AE, PointM2AEProbe
from m2ae_mm.models.selfsup.point_m2ae import pool_tokens
from m2ae_mm.visualization.boxes import to_numpy

from .base import Entry, Item
from .results import Writer, plain
from .scenes import SceneSteps, read_source, reads_scenes
from .shapes import ShapeInferencer, ShapeSteps


class PretrainedInferencer(ShapeInferencer):
    """Base of the inferencers for pre-trained models, which take shapes or scenes."""

    preprocess_kwargs = {'up', 'unit', 'align', 'columns'}

    def read(self, item: Item, up: str | None = None, **options) -> Entry:
        """A shape, or a scan of a room; only scans take ``unit``, ``align`` and ``columns``."""
        if not self.of_scenes:
            return super().read(item, up or 'z')
        source = read_source(item, up=up, view=self.pipeline.of_views, **options)
        return Entry(item, self.pipeline(item.name, source), source)

    def _init_pipeline(self, cfg: Config) -> SceneSteps | ShapeSteps:
        self.of_scenes = reads_scenes(cfg)
        if self.of_scenes:
            self.suffixes = SCAN_SUFFIXES
        return SceneSteps(cfg) if self.of_scenes else ShapeSteps(cfg)


class M2AEEmbedInferencer(PretrainedInferencer):
    """A feature of each shape or scan: mean + max over the coarsest tokens, what the linear probe sees.

    Options of a call: ``up`` and, for models of scenes, ``unit``, ``align``
    and ``columns``, see :func:`read_source`; ``out_dir`` and ``write``.

    Each prediction holds ``name`` and ``feature`` ``(C,)`` float32.

    Args:
        args, kwargs: See :class:`M2AEInferencer`.
    """

    command = 'embed'
    tasks = ('pre-training', 'pre-training (encoder)')
    default = 'shapes_small'
    formats = ('json', 'npz')

    def accepts(self, model: nn.Module) -> bool:
        """Models whose backbone gives tokens of shapes."""
        return isinstance(model, (PointM2AE, PointM2AEClassifier, PointM2AESegmentor))

    @torch.no_grad()
    def forward(self, inputs: dict) -> list[torch.Tensor]:
        """One feature ``(C,)`` each."""
        data = self.model.data_preprocessor(inputs, False)
        points = data['inputs']['points']
        points = torch.stack(list(points)) if isinstance(points, (list, tuple)) else points
        if isinstance(self.model, PointM2AE):
            return list(self.model.extract_feat(points))
        backbone = self.model.backbone
        return list(pool_tokens(backbone.encode(points, backbone.build_scales(points))[-1]))

    def result(self, entry: Entry, sample: Any) -> dict:
        """See the class."""
        return dict(name=entry.item.name, feature=to_numpy(sample).astype(np.float32))

    def write(self, result: dict, entry: Entry, writer: Writer) -> None:
        """The feature as JSON or as array ``feature``."""
        writer.json(entry.item.stem, plain(dict(shape=result['name'], model=self.title, feature=result['feature'])))
        if path := writer.path('npz', entry.item.stem):
            np.savez(path, feature=result['feature'])


class M2AEReconstructInferencer(PretrainedInferencer):
    """What a masked autoencoder fills in. The mask of an input is the same in every run.

    Options of a call: as for :class:`M2AEEmbedInferencer`, ``return_vis``, and
    ``mask_ratio``, the share of the coarsest tokens to mask in [0, 1); None
    takes that of the training.

    Each prediction holds ``name``; ``points`` (N, 3), the model's input;
    ``visible`` (V, 3), its visible part; ``reconstructed`` (R, 3), what the
    model predicts for the masked part; and ``loss``, the Chamfer distance of
    the masked part. Points are float32 in the model's frame (the unit sphere,
    or metres).

    Args:
        args, kwargs: See :class:`M2AEInferencer`.
    """

    command = 'reconstruct'
    tasks = ('pre-training', )
    default = 'shapes_small'
    formats = ('json', 'ply', 'png', 'html', 'npz')
    forward_kwargs = {'mask_ratio'}
    visualize_kwargs = {'return_vis'}

    def forward(self, inputs: dict, mask_ratio: float | None = None) -> list:
        """One sample each, with its reconstruction."""
        trained = self.model.mask_ratio
        if mask_ratio is not None and not 0 <= mask_ratio < 1:
            raise UserError(f'mask_ratio must be at least 0 and less than 1, got {mask_ratio}; {self.title} was '
                            f'trained with {trained}.')
        self.model.mask_ratio = trained if mask_ratio is None else mask_ratio
        try:
            return super().forward(inputs)
        finally:
            self.model.mask_ratio = trained

    def accepts(self, model: nn.Module) -> bool:
        """Pre-trained models, with their decoder."""
        return isinstance(model, PointM2AE) and not isinstance(model, PointM2AEProbe)

    def result(self, entry: Entry, sample: Any) -> dict:
        """See the class."""
        points = entry.packed['inputs']['points']
        return dict(name=entry.item.name, points=to_numpy(points)[:, :3], visible=to_numpy(sample.visible_points),
                    reconstructed=to_numpy(sample.reconstructed_points), loss=float(sample.reconstruction_loss))

    def write(self, result: dict, entry: Entry, writer: Writer) -> None:
        """The loss as JSON; clouds as PLY and arrays; a page."""
        from m2ae_mm.datasets.io.ply import write_ply
        from m2ae_mm.visualization.figures import RECONSTRUCTED_COLOUR, VISIBLE_COLOUR
        stem = entry.item.stem
        clouds, colours = [result['visible'], result['reconstructed']], [VISIBLE_COLOUR, RECONSTRUCTED_COLOUR]
        writer.json(stem, plain(dict(shape=result['name'], model=self.title, chamfer_distance=result['loss'],
                                     visible=len(clouds[0]), reconstructed=len(clouds[1]))))
        if path := writer.path('ply', stem):
            of = np.repeat([0, 1], [len(cloud) for cloud in clouds])
            write_ply(path, np.concatenate(clouds), np.array(colours, np.uint8)[of], reconstructed=of)
        if path := writer.path('npz', stem):
            np.savez(path, **{key: result[key] for key in ('points', 'visible', 'reconstructed')})
        if path := writer.path('html', stem):
            from m2ae_mm.visualization.page import write_cloud_page
            write_cloud_page(path, dict(zip(('visible part', 'reconstruction'), clouds)), colours,
                             f'{result["name"]}, reconstructed by {self.title}')

    def picture(self, entry: Entry, result: dict) -> np.ndarray:
        """Input, visible part and reconstruction side by side."""
        from m2ae_mm.visualization.figures import reconstruction_image
        return reconstruction_image(result['points'], result['visible'], result['reconstructed'])
