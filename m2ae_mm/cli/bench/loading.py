"""Data loading alone: one process reads, decodes, augments and collates; files are in the system's cache."""
import itertools
from pathlib import Path

from .inputs import write_pack, write_shapenet55
from .models import DETECT, PRETRAIN, read_config
from .work import Floor, Setting, Work

PACKS = 'm2ae/cad_shapes/pretrain.py'
# More than the 40,000 that the pipeline draws, as real scans have.
ROOM_POINTS = 100000


def shapenet55(setting: Setting) -> Work:
    """ShapeNet55's files, 8,192 points, of which 2,048 are drawn and normalised."""
    root = setting.folder / 'shapenet55'
    write_shapenet55(root, setting.batch, setting.seed)
    return _loading(PRETRAIN, root, setting)


def pack(setting: Setting) -> Work:
    """A pack of shapes, held in memory."""
    path = setting.folder / 'pack' / 'shapes.npz'
    write_pack(path, setting.batch, setting.seed)
    return _loading(PACKS, path.parent, setting, files=[path.name])


def rooms(setting: Setting) -> Work:
    """Composed rooms through mmdet3d's ScanNet pipeline of 3DETR-m: crop, 40,000 points, flip, rotate."""
    from m2ae_mm.datasets.rooms.writer import create_rooms
    root = setting.folder / 'rooms'
    create_rooms(root, train=setting.batch, val=0, points=ROOM_POINTS, seed=setting.seed, workers=1)
    return _loading(DETECT, root, setting)


def _loading(config: str, root: Path, setting: Setting, **options) -> Work:
    """Batches of a config's training loader, without worker processes, for ever; ``options`` of its data set."""
    from mmengine.registry import init_default_scope
    from mmengine.runner import Runner
    init_default_scope('mmdet3d')
    loader = read_config(config).train_dataloader
    loader.update(batch_size=setting.batch, num_workers=0, persistent_workers=False)
    loader.dataset.update(data_root=f'{root}/', **options)
    batches = itertools.chain.from_iterable(itertools.repeat(Runner.build_dataloader(loader, seed=setting.seed)))
    read = sum(path.stat().st_size for path in root.rglob('*') if path.suffix in ('.npy', '.npz'))
    read += sum(path.stat().st_size for path in root.glob('points/*'))
    return Work(lambda: next(batches), setting.batch, Floor(0, read))
