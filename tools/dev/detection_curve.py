#!/usr/bin/env python
"""Draw how a detector of rooms learns from scratch and from a pre-trained encoder, with few labelled rooms.

Every run trains in memory with one thread and is scored every 100 steps on unseen rooms. Encoders are those that the
playbook's stage `detection` leaves behind, one a seed. Runs that --out knows already are not made again.
"""
import argparse
import json
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from playbook import rooms_runs  # noqa: E402
from playbook.detection import DETECT, SEEDS, STARTS  # noqa: E402
from playbook.records import ROOT  # noqa: E402

_EVERY = 100
_SHOWN = {'scratch': ('from scratch', '#c3461c'), 'pretrained_slow': ('encoder pre-trained on rooms', '#1a7f4b')}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('encoders', type=Path, help='folder with detection_encoder_SEED.safetensors')
    parser.add_argument('--out', type=Path, default=ROOT / 'docs' / 'measured' / 'detection_curve.json')
    parser.add_argument('--picture', type=Path, default=ROOT / 'docs' / 'pretraining_pays.png')
    parser.add_argument('--rooms', type=int, default=400, help='composed for training (default: %(default)s)')
    parser.add_argument('--labelled', type=int, default=40, help='of them used (default: %(default)s)')
    parser.add_argument('--val', type=int, default=60, help='unseen rooms to score on (default: %(default)s)')
    parser.add_argument('--steps', type=int, default=400, help='of 8 rooms (default: %(default)s)')
    parser.add_argument('--jobs', type=int, default=2, help='runs at a time (default: %(default)s)')
    return parser.parse_args()


def run(args, rooms: Path, start: str, seed: int) -> list[dict]:
    """One row for every time that the detector was scored."""
    import torch
    torch.set_num_threads(1)
    model, config = rooms_runs.build(DETECT, seed, 'cpu', {'model.backbone.init_cfg.checkpoint': None})
    if start != 'scratch':
        rooms_runs.load_encoder(model, args.encoders / f'detection_encoder_{seed}.safetensors')
    train, val = rooms_runs.Rooms.load(rooms, 'cpu')
    rows: list[dict] = []

    def score(done: int) -> None:
        if done % _EVERY == 0:
            rows.append(dict(start=start, seed=seed, step=done, **rooms_runs.score(model, val)))
            model.train()

    few = rooms_runs.Rooms(*(each[:args.labelled] for each in train))
    rooms_runs.train(model, config, few, rooms_runs.Schedule(args.steps, encoder_lr=STARTS[start]), seed,
                     after_step=score)
    return rows


def draw(rows: list[dict], labelled: int, path: Path) -> None:
    """Mean over the seeds as a line, all seeds as a band."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(9, 4), layout='constrained')
    for axes, metric in zip(figure.subplots(1, 2), ('AP25', 'AP50')):
        for start, (name, colour) in _SHOWN.items():
            steps = sorted({row['step'] for row in rows if row['start'] == start})
            values = [[row[metric] for row in rows if row['start'] == start and row['step'] == step] for step in steps]
            axes.plot(steps, [sum(each) / len(each) for each in values], color=colour, marker='o', label=name)
            axes.fill_between(steps, [min(each) for each in values], [max(each) for each in values], color=colour,
                              alpha=0.2, linewidth=0)
        axes.set(xlabel=f'steps of 8 rooms, of {labelled} labelled ones', ylabel=f'{metric}, percent', ylim=(0, None))
        axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    args = parse_args()
    rows = json.loads(args.out.read_text())['rows'] if args.out.is_file() else []
    known = {(row['start'], row['seed']) for row in rows}
    jobs = [(start, seed) for seed in SEEDS for start in _SHOWN if (start, seed) not in known]
    with tempfile.TemporaryDirectory() as folder:
        rooms = Path(folder) / 'rooms.npz'
        if jobs:
            rooms_runs.compose(rooms, args.rooms, args.val, 0, args.jobs)
        with ProcessPoolExecutor(args.jobs, multiprocessing.get_context('spawn')) as pool:
            for done in as_completed([pool.submit(run, args, rooms, *job) for job in jobs]):
                rows += done.result()
                args.out.write_text(json.dumps(dict(labelled=args.labelled, rows=rows), indent=1) + '\n')
    draw(rows, args.labelled, args.picture)


if __name__ == '__main__':
    main()
