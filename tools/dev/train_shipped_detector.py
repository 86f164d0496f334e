"""Train the detector that comes with the package: rooms of both profiles in memory, one thread."""
import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def main() -> None:
    import torch
    from playbook.records import save_half

    from m2ae_mm.cli.bench.room_runs import DETECT, Schedule, build, read_config, score_boxes, train
    from m2ae_mm.cli.bench.room_sets import DetRooms
    from m2ae_mm.datasets.rooms import create_rooms

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, help='the .safetensors to write')
    parser.add_argument('--steps', type=int, default=4500, help='of 8 rooms (default: %(default)s)')
    parser.add_argument('--rooms', type=int, nargs=2, default=[400, 500], metavar=('NORMAL', 'HARD'))
    parser.add_argument('--val', type=int, default=200, help='unseen rooms to score on (default: %(default)s)')
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        # The normal rooms are those of the demo, the rooms to score on those of the rooms benchmark.
        normal, hard, val = (Path(name) / each for each in ('normal', 'hard', 'val'))
        create_rooms(normal, args.rooms[0], 0, seed=0)
        create_rooms(hard, args.rooms[1], 0, seed=1, profile='hard')
        create_rooms(val, 0, args.val, seed=1)
        rooms = DetRooms.load(normal, 'train') + DetRooms.load(hard, 'train')
        unseen = DetRooms.load(val, 'val')
    config = read_config(DETECT, {})
    model = build(config, 0, 'cpu')
    train(model, config, rooms, Schedule(steps=args.steps), 0, after_step=lambda done, loss: done % 100 or print(
        f'step {done} loss {loss:.3f}', flush=True))
    save_half(model, args.out)
    print({name: round(value, 1) for name, value in score_boxes(model, unseen).items()})


if __name__ == '__main__':
    main()
