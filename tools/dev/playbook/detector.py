"""A detector of composed rooms for the package: trained until the time is over, weights in half precision."""
import time

from . import rooms_runs

CONFIG = 'configs/vdetr/vdetr-m2ae_rooms.py'
_TRAIN, _VAL = 3000, 100
_SHARE_FOR_TRAINING = 0.75
_SPEED_STEPS = 60


def run(context) -> None:
    few = context.rehearse
    rooms = context.out / 'rooms_for_detector.npz'
    rooms_runs.compose(rooms, *((4, 2) if few else (_TRAIN, _VAL)), 3, 1 if few else 16)
    train_rooms, val_rooms = rooms_runs.Rooms.load(rooms, context.device)
    schedule = rooms_runs.Schedule(steps=2, batch=2) if few else _fitting(context, train_rooms)
    model, config = rooms_runs.build(CONFIG, 0, context.device, {'model.backbone.init_cfg.checkpoint': None})
    encoder = context.data / 'detection_encoder_0.safetensors'
    if encoder.is_file():
        rooms_runs.load_encoder(model, encoder)
    start = time.time()
    history = rooms_runs.train(model, config, train_rooms, schedule, 0, context.deadline - 45)
    rooms_runs.save_half(model, context.out / 'rooms_vdetr.safetensors')
    context.record.add(**schedule._asdict(), seconds=time.time() - start, losses=[each['loss'] for each in history],
                       train_rooms=len(train_rooms.boxes), pretrained=encoder.is_file())
    context.record.add(val_rooms=len(val_rooms.boxes), **rooms_runs.score(model, val_rooms))


def _fitting(context, rooms: rooms_runs.Rooms) -> rooms_runs.Schedule:
    """As many steps as the time allows."""
    model, config = rooms_runs.build(CONFIG, 0, context.device, {'model.backbone.init_cfg.checkpoint': None})
    trial = rooms_runs.Schedule(steps=_SPEED_STEPS, batch=16)
    rooms_runs.train(model, config, rooms, trial, 0)
    start = time.time()
    rooms_runs.train(model, config, rooms, trial, 0)
    rate = (time.time() - start) / _SPEED_STEPS
    steps = int(max(context.left() - 60, 10) * _SHARE_FOR_TRAINING / 0.75 / rate)
    context.record.set(trial_seconds_a_step=rate)
    return trial._replace(steps=steps)
