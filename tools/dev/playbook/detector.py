"""A detector of composed rooms for the package: trained until the time is over, weights in half precision."""
import tempfile
import time
from pathlib import Path

from m2ae_mm.cli.bench.room_runs import (
    DETECT,
    ENCODER,
    Schedule,
    build,
    in_parts,
    read_config,
    score_boxes,
    train,
)
from m2ae_mm.cli.bench.room_sets import DetRooms
from m2ae_mm.datasets.rooms import create_rooms

from .records import save_half

_TRAIN, _VAL = 3000, 100
_SHARE_FOR_TRAINING = 0.75
_SPEED_STEPS = 60


def run(context) -> None:
    with tempfile.TemporaryDirectory() as name:
        create_rooms(name, *((4, 2) if context.rehearse else (_TRAIN, _VAL)), seed=3)
        train_rooms, val_rooms = (DetRooms.load(Path(name), split, context.device) for split in ('train', 'val'))
    encoder = context.data / 'detection_encoder_0.safetensors'
    schedule = Schedule(steps=2, batch=2) if context.rehearse else _fitting(context, train_rooms)
    config = read_config(DETECT, {ENCODER: str(encoder) if encoder.is_file() else None})
    model = build(config, 0, context.device)
    start = time.time()
    losses = train(model, config, train_rooms, schedule, 0, context.deadline - 45)
    save_half(model, context.out / 'rooms_vdetr.safetensors')
    context.record.add(**schedule._asdict(), seconds=time.time() - start, losses=in_parts(losses),
                       train_rooms=len(train_rooms), pretrained=encoder.is_file())
    context.record.add(val_rooms=len(val_rooms), **score_boxes(model, val_rooms))


def _fitting(context, rooms: DetRooms) -> Schedule:
    """As many steps as the time allows."""
    config = read_config(DETECT, {})
    model = build(config, 0, context.device)
    trial = Schedule(steps=_SPEED_STEPS, batch=16)
    train(model, config, rooms, trial, 0)
    start = time.time()
    train(model, config, rooms, trial, 0)
    rate = (time.time() - start) / _SPEED_STEPS
    steps = int(max(context.left() - 60, 10) * _SHARE_FOR_TRAINING / 0.75 / rate)
    context.record.set(trial_seconds_a_step=rate)
    return trial._replace(steps=steps)
