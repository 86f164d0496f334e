"""Does pre-training pay in detection? From scratch and pre-trained, with all and with fewer labelled rooms.

Encoders are pre-trained on the device. Detectors are trained on the cores beside it, one each: their steps are short,
and as many as there are cores go on at once.
"""
import json
import multiprocessing
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from m2ae_mm.cli.bench.room_runs import (
    DETECT,
    ENCODER,
    Schedule,
    build,
    in_parts,
    pretrain,
    read_config,
    score_boxes,
    train,
)
from m2ae_mm.cli.bench.room_sets import DetRooms
from m2ae_mm.datasets.rooms import create_rooms

from .records import MEASURED

SHARES, SEEDS = (1., 0.3, 0.1), (0, 1, 2)
# Of the encoder's learning rate.
STARTS = dict(scratch=1., pretrained=1., pretrained_slow=0.2)
PRETRAINING = Schedule(steps=1200, batch=32, lr=2e-3)
_PROCESSES = 12
_TRAIN, _VAL = 400, 60
_FINE_TUNING, _FEW = Schedule(steps=400), Schedule(steps=2, batch=2)


def run(context) -> None:
    few = context.rehearse
    seeds = SEEDS[:1] if few else SEEDS
    jobs = [(share, start, seed) for seed in seeds for share in (SHARES[:1] if few else SHARES)
            for start in (list(STARTS)[:2] if few else STARTS)]
    train_count, val_count = (4, 2) if few else (_TRAIN, _VAL)
    context.record.set(train_rooms=train_count, val_rooms=val_count, pretraining=PRETRAINING._asdict(),
                       fine_tuning=_FINE_TUNING._asdict())
    known = _known(context)
    for row in known.values():
        context.record.add(**row)
    jobs = [job for job in jobs if job not in known]
    with tempfile.TemporaryDirectory() as name:
        rooms = Path(name)
        create_rooms(rooms, train_count, val_count)
        if few:
            context.record.add(**_pretrain(rooms, context.out, context.data, 0, context.device, True))
            for job in jobs:
                context.record.add(**_fine_tune(rooms, context.out, *job, True))
            return
        with ProcessPoolExecutor(_PROCESSES, multiprocessing.get_context('spawn')) as pool:
            encoders = [pool.submit(_pretrain, rooms, context.out, context.data, seed, context.device, False)
                        for seed in seeds]
            futures = [pool.submit(_fine_tune, rooms, context.out, *job, False) for job in jobs]
            for future in as_completed([*encoders, *futures]):
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
    pretrain(_encoder(out, seed), DetRooms.load(rooms, 'train', device), _FEW if few else PRETRAINING, seed)
    return dict(pretraining='done', seed=seed, seconds=time.time() - start)


def _fine_tune(rooms: Path, out: Path, share: float, start: str, seed: int, few: bool) -> dict:
    import torch
    torch.set_num_threads(1)
    row = dict(share=share, start=start, seed=seed)
    try:
        encoder = None if start == 'scratch' else _encoder(out, seed)
        while encoder and not encoder.is_file():  # another process is at it
            time.sleep(0.5)
        begun = time.time()
        config = read_config(DETECT, {ENCODER: encoder and str(encoder)})
        model = build(config, seed, 'cpu')
        schedule = (_FEW if few else _FINE_TUNING)._replace(encoder_lr=STARTS[start])
        losses = train(model, config, DetRooms.load(rooms, 'train').first(share), schedule, seed)
        trained = time.time() - begun
        row.update(score_boxes(model, DetRooms.load(rooms, 'val')), loss=in_parts(losses)[-1], train_seconds=trained,
                   seconds=time.time() - begun)
    except Exception:
        row.update(error=traceback.format_exc()[-1500:])
    return row
