"""Weights that come with the package, loaded by name.

Each is a pair of files in ``m2ae_mm/weights``: ``NAME.safetensors`` with all
tensors of a checkpoint and ``NAME.json`` with the model's config and where the
weights come from. ``SHA256SUMS`` has their checksums, as ``sha256sum`` writes
them.
"""
import functools
import json
import logging
from pathlib import Path

from mmengine.logging import print_log

from m2ae_mm.errors import UserError
from m2ae_mm.files import write_text

from .writing import file_digest

FOLDER = Path(__file__).resolve().parent.parent / 'weights'
SUMS = 'SHA256SUMS'
# What of an encoder's config decides the shapes of its weights and the tokens it was trained with.
SIZES = ('in_channels', 'num_centers', 'num_neighbors', 'embed_dims', 'depths', 'num_heads', 'point_hidden')


def shipped_names() -> list[str]:
    """Names of all weights that come with the package."""
    return sorted(path.stem for path in FOLDER.glob('*.safetensors'))


def describe(name: str) -> dict:
    """What ``NAME.json`` says: ``model`` (a config), ``task``, ``data``, ``figures``, ...

    Raises:
        UserError: If there are no such weights, or the file has changed.
    """
    if name not in shipped_names():
        raise UserError(f'no weights {name!r} come with the package, only {", ".join(shipped_names())}.')
    path = FOLDER / f'{name}.json'
    check_shipped(path)
    return json.loads(path.read_text(encoding='utf-8'))


def check_shipped(path: Path) -> None:
    """Compare a file of weights, if it comes with the package, with its checksum; once a process as long as it stays.

    Raises:
        UserError: If they differ, or the file has none.
    """
    path = path.resolve()
    if path.parent == FOLDER:
        state = path.stat()
        _compare(path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=64)
def _compare(path: Path, *state: int) -> None:
    lines = (path.parent / SUMS).read_text(encoding='utf-8').splitlines()
    known = {name: digest for digest, name in map(str.split, lines)}
    if path.name not in known:
        raise UserError(f'{str(path)!r} is not in {SUMS} beside it. Install the package anew; if the file is yours, '
                        f'list it: `sha256sum *.json *.safetensors > {SUMS}` in that folder.')
    if file_digest(path) != known[path.name]:
        raise UserError(f'{str(path)!r} has changed since the package was made: its checksum is not the one in {SUMS}. '
                        'Install the package anew.')


def write_sums() -> None:
    """Write the checksums of all weights of the package and their descriptions."""
    files = sorted([*FOLDER.glob('*.safetensors'), *FOLDER.glob('*.json')])
    write_text(FOLDER / SUMS, ''.join(f'{file_digest(path)}  {path.name}\n' for path in files))


def start_from(config, name: str) -> None:
    """Give a config's encoder the sizes and weights of a shipped one.

    Neck and head follow in what they must: a pre-training model takes over
    sizes and weights of both, other models the widths they read. A model of scenes is warned of.

    Args:
        config: mmengine config with a ``PointM2AEEncoder`` as ``model.backbone``.
        name: Shipped weights of a pre-training.

    Raises:
        UserError: For weights that are no pre-training, or a model whose
            encoder or decoder they do not fit.
    """
    stored, model = describe(name)['model'], config.model
    kinds = {'PointM2AEEncoder', 'PointM2AEClassTokenEncoder'}
    for what, kind in ((f'weights {name!r}', stored['backbone']['type']), ('this config', model.backbone.type)):
        if kind not in kinds:
            raise UserError(f'pre-trained weights by name are for PointM2AEEncoder; {what} has {kind}.')
    sizes = {key: stored['backbone'][key] for key in SIZES if key in stored['backbone']}
    if _of_shapes(model) and not _of_shapes(stored):
        raise UserError(f'the weights {name!r} were trained on scenes in metres, this {model.type} gets single shapes '
                        'in the unit sphere. Take weights that were trained on shapes, or leave out --pretrained.')
    if _of_shapes(stored) and not _of_shapes(model):
        print_log(f'the weights {name!r} were trained on single shapes in the unit sphere, this {model.type} gets '
                  f'scenes in metres: with the sizes of these weights it has {sizes["num_centers"]} tokens for all of '
                  'a scene.', 'current', logging.WARNING)
    model.backbone.update(sizes, init_cfg=_weights_of(name, 'backbone'))
    dims = sizes['embed_dims']
    if model.type.startswith('PointM2AE') and 'mask_ratio' in model:
        if stored['type'] != 'PointM2AE':
            if model.type == 'PointM2AEProbe':  # it reads the encoder only
                return
            raise UserError(f'the weights {name!r} are of {stored["type"]} and have no decoder, with which this '
                            'pre-training continues. Take weights of a pre-training, or leave out --pretrained.')
        if list(model.neck.depths) != stored['neck']['depths']:
            raise UserError(f'the weights {name!r} come with a decoder of {stored["neck"]["depths"]} blocks in its '
                            f'stages, this config has {model.neck.depths}. Leave out --pretrained, or use a config '
                            'with that decoder.')
        model.update({part: dict(stored[part], init_cfg=_weights_of(name, part)) for part in ('neck', 'head')})
    elif model.get('head', {}).get('type') == 'PointM2AEClsHead':
        model.head.in_channels = dims[-1]
    elif model.get('head', {}).get('type') == 'PointM2AEPartHead':
        model.head.in_channels = dims
    elif model.get('neck', {}).get('type') == 'PointM2AEPropagation':
        model.neck.encoder_dims = dims


def _weights_of(name: str, part: str) -> dict:
    return dict(type='Pretrained', checkpoint=name, prefix=f'{part}.')


def _of_shapes(model: dict) -> bool:
    """Whether a model's input is normalised: shape models have a preprocessor of their own, two of them by default."""
    preprocessor = (model.get('data_preprocessor') or {}).get('type')
    return preprocessor == 'M2AEShapePreprocessor' or model['type'] in ('PointM2AEClassifier', 'PointM2AESegmentor')
