"""Does pre-training pay in detection? From scratch and pre-trained, with all and with fewer labelled rooms.

Encoders are pre-trained on the device. Detectors are trained on the cores beside it, one each: their steps are short,
and as many as there are cores go on at once.
"""
import json
import multiprocessing
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from . import rooms_runs
from .records import MEASURED

PRETRAIN, DETECT = 'configs/m2ae/rooms_pretrain.py', 'configs/vdetr/vdetr-m2ae_rooms.py'
SHARES, SEEDS = (1., 0.3, 0.1), (0, 1, 2)
# Of the encoder's learning rate.
STARTS = dict(scratch=1., pretrained=1., pretrained_slow=0.2)
_PROCESSES = 12
_TRAIN, _VAL = 400, 60
PRETRAINING = dict(steps=1200, batch=32, lr=2e-3)
_FINE_TUNING = dict(steps=400, batch=8)


def run(context) -> None:
    few = context.rehearse
    rooms = context.out / 'rooms.npz'
    if not rooms.is_file():
        rooms_runs.compose(rooms, *((4, 2) if few else (_TRAIN, _VAL)), 0, 1 if few else 16)
    context.record.set(train_rooms=4 if few else _TRAIN, val_rooms=2 if few else _VAL, pretraining=PRETRAINING,
                       fine_tuning=_FINE_TUNING)
    seeds = SEEDS[:1] if few else SEEDS
    jobs = [(share, start, seed) for seed in seeds for share in (SHARES[:1] if few else SHARES)
            for start in (list(STARTS)[:2] if few else STARTS)]
    known = _known(context)
    for row in known.values():
        context.record.add(**row)
    jobs = [job for job in jobs if job not in known]
    if few:
        _pretrain(rooms, context.out, context.data, 0, context.device, True)
        for job in jobs:
            context.record.add(**_fine_tune(rooms, context.out, *job, True))
        return
    with ProcessPoolExecutor(_PROCESSES, multiprocessing.get_context('spawn')) as pool:
        encoders = {seed: pool.submit(_pretrain, rooms, context.out, context.data, seed, context.device, False)
                    for seed in seeds}
        futures = [pool.submit(_fine_tune, rooms, context.out, *job, False) for job in jobs]
        for future in as_completed([*encoders.values(), *futures]):
            context.record.add(**future.result())


def _known(context) -> dict:
    """Rows of an earlier run of the same code, on this or another machine."""
    path = MEASURED / 'detection.json'
    found = json.loads(path.read_text()) if path.is_file() else dict(code='')
    if found['code'] != context.record.content['code'] or context.rehearse:
        return {}
    return {(row['share'], row['start'], row['seed']): row for row in found['rows'] if 'AP25' in row}


def _encoder(folder: Path, seed: int) -> Path:
    return folder / f'detection_encoder_{seed}.safetensors'


def _pretrain(rooms: Path, out: Path, data: Path, seed: int, device: str, few: bool) -> dict:
    """An encoder of all training rooms, without labels; taken from ``data`` if an earlier run has left it there."""
    if _encoder(data, seed).is_file():
        _encoder(out, seed).write_bytes(_encoder(data, seed).read_bytes())
        return dict(pretraining='carried along', seed=seed)
    start = time.time()
    schedule = rooms_runs.Schedule(**(dict(steps=2, batch=2) if few else PRETRAINING))
    model, config = rooms_runs.build(PRETRAIN, seed, device)
    train_rooms, _ = rooms_runs.Rooms.load(rooms, device)
    history = rooms_runs.train(model, config, train_rooms, schedule, seed)
    new = out / f'encoder_{seed}.tmp'
    rooms_runs.save_half(model, new, 'backbone.')
    new.rename(_encoder(out, seed))
    return dict(pretraining='done', seed=seed, seconds=time.time() - start, losses=[each['loss'] for each in history])


def _fine_tune(rooms: Path, out: Path, share: float, start: str, seed: int, few: bool) -> dict:
    import torch
    torch.set_num_threads(1)
    row = dict(share=share, start=start, seed=seed)
    try:
        begun = time.time()
        model, config = rooms_runs.build(DETECT, seed, 'cpu', {'model.backbone.init_cfg.checkpoint': None})
        if start != 'scratch':
            while not _encoder(out, seed).is_file():  # another process is at it
                time.sleep(0.5)
            begun = time.time()
            rooms_runs.load_encoder(model, _encoder(out, seed))
        train_rooms, val_rooms = rooms_runs.Rooms.load(rooms, 'cpu')
        labelled = max(int(share * len(train_rooms.boxes)), 1)
        train_rooms = rooms_runs.Rooms(*(each[:labelled] for each in train_rooms))
        schedule = rooms_runs.Schedule(**(dict(steps=2, batch=2) if few else _FINE_TUNING), encoder_lr=STARTS[start])
        history = rooms_runs.train(model, config, train_rooms, schedule, seed)
        trained = time.time() - begun
        row.update(rooms_runs.score(model, val_rooms), loss=history[-1]['loss'], train_seconds=trained,
                   seconds=time.time() - begun)
    except Exception:
        row.update(error=traceback.format_exc()[-1500:])
    return row
