"""Pre-training of the paper's size on shapes for as long as the time allows, then a linear SVM on frozen features."""
import math
import time

import numpy as np
import torch

from m2ae_mm.cli.bench.room_runs import build, read_config

from . import compact
from .records import save_half

CONFIG, SOURCES = 'm2ae_mm::m2ae/shapenet_pretrain.py', ('ldraw', 'kicad', 'sweethome3d')
_PROBE_POINTS = 1024
# Published batch and learning rate. With 500 steps of warm-up the model stays where all predictions are alike; a fifth
# of the schedule and clipped gradients lead it away from there. A random half of a pack's 2,048 points a step; half of
# the shapes are turned about the vertical axis, since CAD parts have no common front.
_SETTINGS = dict(batch=128, lr=1e-3, warm_up=0.2, clip=5., points=1024, turned=0.5)


def run(context) -> None:
    few = context.rehearse
    packs = _packs(context, few)
    small = {'model.backbone.num_centers': [32, 16, 8], 'model.backbone.depths': [1, 1, 1]} if few else {}
    config = read_config(CONFIG, small)
    model = build(config, 0, context.device)
    carried = context.data / 'shapes.xz'  # of compact.py
    clouds = (torch.from_numpy(compact.read(carried)) if carried.is_file() and not few
              else torch.cat([points[train] for points, _, train in packs.values()])).to(context.device)
    context.record.set(shapes=len(clouds), settings=_SETTINGS)
    for name, accuracy in probe(model, packs, context.device).items():
        context.record.add(epoch=0, source=name, accuracy=accuracy)
    steps, seconds = train(model, config, clouds, 2 if few else None, context, bool(packs))
    save_half(model, context.out / 'shapes.safetensors', 'backbone.')
    seen = steps * _SETTINGS['batch']
    epochs = seen / len(clouds)
    context.record.set(steps=steps, epochs=epochs, train_seconds=seconds, samples_a_second=seen / seconds)
    for name, accuracy in probe(model, packs, context.device).items():
        context.record.add(epoch=round(epochs, 1), source=name, accuracy=accuracy)


def _packs(context, few: bool) -> dict:
    """``(points, labels, train)`` by source; made up for a rehearsal."""
    if few:
        points = torch.randn(24, 256, 3)
        return dict(made_up=(points / points.norm(dim=-1).amax(1)[:, None, None], torch.arange(24) % 2,
                             torch.arange(24) < 16))
    packs = {}
    for source in (each for each in SOURCES if (context.data / 'cad_shapes' / f'{each}.npz').is_file()):
        with np.load(context.data / 'cad_shapes' / f'{source}.npz') as pack:
            packs[source] = (torch.from_numpy(pack['points'].astype(np.float32)), torch.from_numpy(pack['label']),
                             torch.from_numpy(pack['split']) == 0)
    return packs


def train(model, config, clouds: torch.Tensor, steps: int | None, context, probed: bool) -> tuple[int, float]:
    """Until ``steps`` or shortly before the end; the schedule follows the clock. Steps made and seconds taken."""
    from mmengine.optim import build_optim_wrapper
    options = config.optim_wrapper.copy()
    options.optimizer.lr = _SETTINGS['lr']
    options.clip_grad = dict(max_norm=_SETTINGS['clip'])
    options.type = 'M2AEBFloat16OptimWrapper' if context.device == 'cuda' else 'M2AEOptimWrapper'
    wrapper = build_optim_wrapper(model.train(), options)
    rates = [group['lr'] for group in wrapper.optimizer.param_groups]
    start, seconds = time.time(), max(context.left() - (40 if probed else 8), 1)
    batch, done, losses = min(_SETTINGS['batch'], len(clouds)), 0, []
    while done < steps if steps else time.time() - start < seconds:
        passed = done / steps if steps else (time.time() - start) / seconds
        warm = _SETTINGS['warm_up']
        factor = passed / warm if passed < warm else 0.5 * (1 + np.cos(np.pi * (passed - warm) / (1 - warm)))
        for group, rate in zip(wrapper.optimizer.param_groups, rates):
            group['lr'] = rate * max(float(factor), 1e-3)
        chosen = torch.randperm(clouds.shape[1], device=clouds.device)[:_SETTINGS['points']]
        points = _turned(clouds[torch.randint(len(clouds), (batch, ), device=clouds.device)][:, chosen])
        scale = 2 / 3 + 5 / 6 * torch.rand(batch, 1, 3, device=points.device)
        points = points * scale + 0.4 * torch.rand(batch, 1, 3, device=points.device) - 0.2
        with wrapper.optim_context(model):
            loss, _ = model.parse_losses(model(dict(points=points), mode='loss'))
        wrapper.update_params(loss)
        losses.append(loss.detach())
        done += 1
        if done % 500 == 0:
            context.record.set(losses=[float(each) for each in losses[::250]], steps=done)
    return done, time.time() - start


def _turned(points: torch.Tensor) -> torch.Tensor:
    """``(B, N, 3)``, some of them about the vertical axis."""
    angle = 2 * math.pi * torch.rand(len(points), device=points.device)
    angle = torch.where(torch.rand_like(angle) < _SETTINGS['turned'], angle, 0.)
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return points @ torch.stack([cos, sin, zero, -sin, cos, zero, zero, zero, one], -1).view(-1, 3, 3)


def probe(model, packs: dict, device: str) -> dict[str, float]:
    """Accuracy in percent of a linear SVM, C = 1, by source."""
    from sklearn.svm import SVC
    model.eval()
    result = {}
    for name, (points, labels, train) in packs.items():
        features = []
        for part in points[:, :_PROBE_POINTS].split(128):
            with torch.no_grad():
                features.append(model(dict(points=part.to(device)), mode='tensor').float().cpu())
        features, known = torch.cat(features).numpy(), (labels >= 0).numpy()
        fit, check = known & train.numpy(), known & ~train.numpy()
        machine = SVC(C=1., kernel='linear').fit(features[fit], labels.numpy()[fit])
        result[name] = 100 * machine.score(features[check], labels.numpy()[check])
    return result
