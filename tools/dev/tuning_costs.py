#!/usr/bin/env python
"""What each way of tuning costs: weights that learn, time of a training step and memory, on a CPU.

Time is that of the processor, with one thread, so that what else runs on the machine changes little; modes take turns,
and the fastest step of each counts. Memory is what a step keeps for its backward pass, and what gradients and AdamW
hold.
"""
import argparse
import json
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Config, clouds a step and points a cloud.
CASES = dict(classification=('m2ae_mm::m2ae/free_shapes/cls.py', 32, 1024),
             detection=('m2ae_mm::m2ae/rooms_det.py', 8, 8192),
             segmentation=('m2ae_mm::m2ae/rooms_seg.py', 8, 8192))


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=ROOT / 'docs' / 'measured' / 'tuning.json')
    parser.add_argument('--rounds', type=int, default=8, help='steps of each mode (default: %(default)s)')
    parser.add_argument('--commit', default='', help='of the code, for the file')
    return parser.parse_args()


def data_of(task: str, batch: int, points: int) -> dict:
    """Arguments of a model for a step, the same for every mode."""
    import torch

    from m2ae_mm.cli.bench.inputs import composed_rooms, room_clouds, room_targets, shape_clouds
    from mmdet3d.structures import Det3DDataSample, PointData
    samples = [Det3DDataSample() for _ in range(batch)]
    if task in ('detection', 'segmentation'):
        rooms = composed_rooms(batch, points, 0)
        if task == 'detection':
            samples = room_targets(rooms)
        for sample in samples:  # of which detection has no use; which classes they are costs nothing
            sample.gt_pts_seg = PointData(pts_semantic_mask=torch.arange(points) % 20)
        return dict(inputs=dict(points=list(room_clouds(rooms, points))), data_samples=samples)
    for index, sample in enumerate(samples):
        sample.gt_label = torch.tensor(index % 30)
    return dict(inputs=dict(points=shape_clouds(batch, points, 0)), data_samples=samples)


class Step:
    """A training step of a config in a mode."""

    def __init__(self, name: str, mode: str, data: dict) -> None:
        from mmengine.optim import build_optim_wrapper

        from m2ae_mm.cli.bench.models import build, read_config
        from m2ae_mm.engine import set_tuning
        config = read_config(name)
        set_tuning(config, mode)
        self.model, self.data = build(config, 0, 'cpu'), data
        self.wrapper = build_optim_wrapper(self.model.train(), config.optim_wrapper)
        self.weights = {each.untyped_storage().data_ptr() for each in self.model.parameters()}
        self.learn = sum(each.numel() for each in self.model.parameters() if each.requires_grad)
        self.kept: dict[int, int] = {}
        self.times: list[float] = []

    def __call__(self, counts: bool = False) -> None:
        from contextlib import nullcontext

        import torch
        start = time.process_time()
        hooks = torch.autograd.graph.saved_tensors_hooks(self._count, lambda x: x) if counts else nullcontext()
        with hooks:
            loss, _ = self.model.parse_losses(self.model(**self.data, mode='loss'))
        self.wrapper.update_params(loss)
        self.times.append(time.process_time() - start)

    def _count(self, tensor):
        """Storages are counted once, those of weights not."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.weights:
            self.kept[storage.data_ptr()] = storage.nbytes()
        return tensor


def main() -> None:
    args = parse_args()
    from m2ae_mm.cli.tuning import tune_process
    tune_process()
    import torch

    import m2ae_mm  # noqa: F401
    from m2ae_mm.engine.tuning import MODES
    torch.set_num_threads(1)
    rows = []
    for task, (name, batch, points) in CASES.items():
        data = data_of(task, batch, points)
        steps = {mode: Step(name, mode, data) for mode in MODES}
        for step in steps.values():
            step(counts=True)
            step.times.clear()
        for _ in range(args.rounds):
            for step in steps.values():
                step()
        for mode, step in steps.items():
            rows.append(dict(task=task, config=name, batch=batch, mode=mode, learn=step.learn,
                             all=sum(each.numel() for each in step.model.parameters()), cpu_ms=1e3 * min(step.times),
                             kept_mib=sum(step.kept.values()) / 2**20, state_mib=3 * 4 * step.learn / 2**20))
            print(rows[-1], flush=True)
    versions = dict(torch=torch.__version__)
    args.out.write_text(json.dumps(dict(
        stage='tuning', date=time.strftime('%Y-%m-%d'), command='python tools/dev/tuning_costs.py', commit=args.commit,
        card='CPU, one thread', versions=versions, complete=True, rows=rows), indent=1))


if __name__ == '__main__':
    main()
