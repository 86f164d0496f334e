"""Train the detector that comes with the package: rooms of both profiles in memory, one thread; see rooms_runs."""
import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def main() -> None:
    import torch
    from playbook import rooms_runs

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, help='the .safetensors to write')
    parser.add_argument('--steps', type=int, default=4500, help='of 8 rooms (default: %(default)s)')
    parser.add_argument('--rooms', type=int, nargs=2, default=[400, 500], metavar=('NORMAL', 'HARD'))
    parser.add_argument('--val', type=int, default=200, help='unseen rooms to score on (default: %(default)s)')
    args = parser.parse_args()
    torch.set_num_threads(1)
    normal, hard = args.rooms
    with tempfile.TemporaryDirectory() as folder:
        # The normal rooms are those of the demo, the rooms to score on those of the rooms benchmark.
        parts = []
        for name, train, val, seed, profile in (('normal', normal, 1, 0, 'normal'), ('hard', hard, 1, 1, 'hard'),
                                                ('val', 1, args.val, 1, 'normal')):
            rooms_runs.compose(Path(folder) / f'{name}.npz', train, val, seed, 1, profile)
            parts.append(rooms_runs.Rooms.load(Path(folder) / f'{name}.npz', 'cpu'))
    (first, _), (second, _), (_, unseen) = parts
    rooms = rooms_runs.Rooms(torch.cat([first.points, second.points]), first.boxes + second.boxes,
                             first.labels + second.labels)
    model, config = rooms_runs.build('configs/vdetr/vdetr-m2ae_rooms.py', 0, 'cpu')
    for row in rooms_runs.train(model, config, rooms, rooms_runs.Schedule(steps=args.steps), 0):
        print(f'step {row["step"]} loss {row["loss"]:.3f}', flush=True)
    rooms_runs.save_half(model, args.out)
    print({name: round(value, 1) for name, value in rooms_runs.score(model, unseen).items()})


if __name__ == '__main__':
    main()
