#!/usr/bin/env python
"""Train detectors of rooms from scratch and from pre-trained encoders, and say what pre-training is worth.

`curve` draws how a detector learns with few labelled rooms, from encoders that the playbook's stage `detection` leaves
behind; `causes` changes one thing of the pre-training at a time. Encoders that the folder lacks are pre-trained first.
Every run trains in memory with one thread and is scored every 100 steps on unseen rooms. Runs that --out knows already
are not made again.
"""
import argparse
import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from playbook.pretrainings import CAUSES, CURVE  # noqa: E402
from playbook.records import MEASURED, ROOT, Record, machine  # noqa: E402

from m2ae_mm.cli.bench.room_runs import (  # noqa: E402
    DETECT,
    ENCODER,
    Schedule,
    build,
    pretrain,
    read_config,
    score_boxes,
    train,
)
from m2ae_mm.cli.bench.room_sets import DetRooms  # noqa: E402
from m2ae_mm.datasets.rooms import create_rooms  # noqa: E402

_EVERY = 100
_STUDIES = dict(curve=CURVE, causes=CAUSES)
_STARTS = CURVE | CAUSES
_COLOURS = dict(scratch='C1', pretrained_slow='C0')  # as in the chart of folds


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('study', choices=['curve', 'causes'])
    parser.add_argument('folder', type=Path, help='with ENCODER_SEED.safetensors; the rooms are kept there')
    parser.add_argument('--out', type=Path, help='(default: docs/measured/detection_STUDY.json)')
    parser.add_argument('--picture', type=Path, default=ROOT / 'docs' / 'pretraining_pays.png', help='of the curve')
    parser.add_argument('--starts', nargs='+', choices=_STARTS, metavar='START', help='(default: those of the study)')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], help='(default: 0 1 2)')
    parser.add_argument('--rooms', type=int, default=400, help='composed for training (default: %(default)s)')
    parser.add_argument('--labelled', type=int, default=40, help='of them used (default: %(default)s)')
    parser.add_argument('--val', type=int, default=60, help='unseen rooms to score on (default: %(default)s)')
    parser.add_argument('--steps', type=int, default=400, help='of 8 rooms (default: %(default)s)')
    parser.add_argument('--jobs', type=int, default=2, help='runs at a time (default: %(default)s)')
    args = parser.parse_args()
    if args.steps < _EVERY or args.jobs < 1 or not 1 <= args.labelled <= args.rooms or args.val < 1:
        parser.error(f'--steps must be {_EVERY} or more, --jobs and --val 1 or more, --labelled from 1 to --rooms')
    args.out = args.out or MEASURED / f'detection_{args.study}.json'
    args.starts = args.starts or list(_STUDIES[args.study])
    return args


def run(args, name: str, seed: int) -> list[dict[str, Any]]:
    """One row for every time that the detector was scored."""
    import torch
    torch.set_num_threads(1)
    start = {**_STARTS, **_STUDIES[args.study]}[name]
    rooms, val = (DetRooms.load(args.folder / 'rooms', split) for split in ('train', 'val'))
    encoder = None
    if start.encoder:
        encoder = str(pretrain(args.folder / f'{start.encoder}_{seed}.safetensors', rooms, start.schedule, seed,
                               start.pretraining))
    config = read_config(DETECT, {ENCODER: encoder, **start.detector})
    model = build(config, seed, 'cpu')
    rows: list[dict[str, Any]] = []

    def score(done: int, _: torch.Tensor) -> None:
        if done % _EVERY == 0:
            rows.append(dict(start=name, about=start.about, labelled=args.labelled, seed=seed, step=done,
                             **score_boxes(model, val)))
            model.train()

    train(model, config, rooms.first(args.labelled / args.rooms), Schedule(args.steps, encoder_lr=start.encoder_lr),
          seed, after_step=score)
    return rows


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Mean over the seeds as a line, all seeds as a band."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    figure = Figure(figsize=(9, 4), layout='constrained')
    panels = figure.subplots(1, 2)
    for axes, metric in zip(panels, ('AP25', 'AP50')):
        for name, start in CURVE.items():
            steps = sorted({row['step'] for row in rows if row['start'] == name})
            values = [[row[metric] for row in rows if row['start'] == name and row['step'] == step] for step in steps]
            axes.plot(steps, [sum(each) / len(each) for each in values], color=_COLOURS[name], marker='o',
                      label=start.about)
            axes.fill_between(steps, [min(each) for each in values], [max(each) for each in values],
                              color=_COLOURS[name], alpha=0.2, linewidth=0)
        axes.set(xlabel=f'training steps (8 of {rows[0]["labelled"]} labelled rooms each)', ylabel=f'{metric}, percent',
                 ylim=(0, None))
        axes.grid(alpha=0.3)
    lines, names = panels[0].get_legend_handles_labels()
    seeds = len({row['seed'] for row in rows})
    figure.legend([*lines, Patch(color='grey', alpha=0.3)],
                  [*(f'{name}, mean' for name in names), f'bands: lowest to highest of {seeds} seeds'],
                  loc='outside upper center', ncols=3, frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    args = parse_args()
    before = json.loads(args.out.read_text()) if args.out.is_file() else dict(rows=[])
    rows = before['rows']
    if rows and before.get('steps') != args.steps:
        sys.exit(f'error: {args.out} has runs of {before.get("steps")} steps. Choose another --out.')
    known = {(row['start'], row['labelled'], row['seed']) for row in rows}
    jobs = [(start, seed) for start in args.starts for seed in args.seeds
            if (start, args.labelled, seed) not in known]
    if jobs:
        create_rooms(args.folder / 'rooms', args.rooms, args.val, workers=args.jobs)
        record = Record(args.out, f'detection_{args.study}', '', **machine(''), note=before.get('note', ''),
                        command=f'python tools/dev/detection_curve.py {args.study} FOLDER', steps=args.steps)
        record.set(rows=rows, complete=True)
        with ProcessPoolExecutor(args.jobs, multiprocessing.get_context('spawn')) as pool:
            for done in as_completed([pool.submit(run, args, *job) for job in jobs]):
                for row in done.result():
                    record.add(**row)
    if args.study == 'curve':
        draw([row for row in rows if row['labelled'] == args.labelled], args.picture)


if __name__ == '__main__':
    main()
