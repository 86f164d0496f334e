"""See in about a minute, without any training, what comes with the package.

A detector on rooms that it has not seen; shapes, the part of them that the masked autoencoder sees, and what it fills
in; and how well a linear classifier recognizes furniture by the features of an untrained and a pre-trained encoder.
"""
import argparse
import time
from pathlib import Path

DETECTOR, ENCODER = 'rooms_det', 'shapes_small'
RESULTS = 'results.json'
_POINTS = 1024
# Rooms to choose the score of shown boxes on, and to draw.
_TRAIN, _VAL = 24, 4
_SHAPES = ('chair', 'dining table', 'sofa', 'desk', 'toilet', 'bathtub')
# The training masked 0.8, but groups overlap: seven of 32 show nearly the whole shape, two of them half of it.
_MASK_RATIO = 0.95


def parse_args(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('first_look'), help='folder (default: %(default)s)')
    return parser.parse_args(arguments)


def main(args) -> None:
    import torch

    from m2ae_mm.files import write_json
    start = time.perf_counter()
    results = {'told': []}
    with torch.no_grad():
        for part in (detect, reconstruct, probe):
            figures, told = part(args.out)
            results.update(figures)
            results['told'].append(told)
            print(told, flush=True)
    results['seconds'] = time.perf_counter() - start
    write_json(args.out / RESULTS, results, indent=1)
    print(f'{results["seconds"]:.0f} s; everything is in {args.out}.')


def detect(out: Path) -> tuple[dict[str, float], str]:
    """Draw what the detector finds in rooms with furniture that it has not seen."""
    from mmengine.runner import Runner

    from m2ae_mm.datasets.rooms import CLASSES, create_rooms
    from m2ae_mm.engine import picture_threshold
    from m2ae_mm.engine.hooks.picture_hook import cloud_of
    from m2ae_mm.evaluation.shown_boxes import match_boxes
    from m2ae_mm.models import shipped_model
    from m2ae_mm.visualization.boxes import shown_boxes, true_boxes
    from m2ae_mm.visualization.figures import judged_image
    from m2ae_mm.visualization.text import save
    from m2ae_mm.visualization.visualizer import scene_points
    create_rooms(out / 'rooms', _TRAIN, _VAL)
    model = shipped_model(DETECTOR)
    for name in ('train_dataloader', 'test_dataloader'):
        model.cfg[name].dataset.data_root = f'{out / "rooms"}/'
        model.cfg[name].update(num_workers=0, persistent_workers=False)
    threshold = picture_threshold(model.cfg, model, _TRAIN).score
    counts = dict(right=0, missed=0, wrong=0)
    for batch in Runner.build_dataloader(model.cfg.test_dataloader):
        for points, sample in zip(batch['inputs']['points'], model.test_step(batch)):
            truth, found = true_boxes(sample), shown_boxes(sample, threshold)
            matches = match_boxes(*found, *truth[:2])
            cloud = scene_points(cloud_of(points, sample), sample, coloured=True)
            save(judged_image(cloud, truth, found, matches, CLASSES, (560, 680)),
                 out / 'detector' / f'{Path(sample.lidar_path).stem}.png')
            right = int((matches >= 0).sum())
            counts['right'] += right
            counts['missed'] += len(truth.labels) - right
            counts['wrong'] += len(matches) - right
    return {f'detector_{name}': count for name, count in counts.items()}, (
        f'{DETECTOR}, the detector that comes with the package: in {_VAL} rooms with furniture that it has not seen it '
        f'finds {counts["right"]} of {counts["right"] + counts["missed"]} things; {counts["wrong"]} of its boxes are '
        f'wrong. Pictures, mistakes dashed: {out / "detector"}')


def reconstruct(out: Path) -> tuple[dict[str, float], str]:
    """Draw shapes, the part of them that the autoencoder sees, and its reconstruction."""
    import numpy as np
    import torch

    from m2ae_mm.datasets.rooms import load_furniture
    from m2ae_mm.datasets.rooms.shapes_of_furniture import unit_shape
    from m2ae_mm.models import shipped_model
    from m2ae_mm.visualization import reconstructions_figure
    from mmdet3d.structures import Det3DDataSample
    furniture, rng = load_furniture(), np.random.default_rng(0)
    shapes = np.stack([unit_shape(furniture.pick(rng, 'val', [kind]), _POINTS) for kind in _SHAPES])
    samples = [Det3DDataSample(metainfo=dict(sample_idx=i)) for i in range(len(shapes))]
    model = shipped_model(ENCODER)
    model.mask_ratio = _MASK_RATIO
    model.predict(torch.from_numpy(shapes), samples)
    path = reconstructions_figure([
        (shape, sample.visible_points.numpy(), sample.reconstructed_points.numpy())
        for shape, sample in zip(shapes, samples)], out / 'reconstructions.png')
    error = float(np.mean([sample.reconstruction_loss for sample in samples]))
    seen = np.mean([len(sample.visible_points) for sample in samples]) / _POINTS
    return {'reconstruction_chamfer': error}, (
        f'{ENCODER}, the encoder that comes with the package, sees {100 * seen:.0f} % of the points of a shape and '
        f'fills in the rest. Pictures: {path}')


def probe(out: Path) -> tuple[dict[str, float], str]:
    """Compare features of an untrained and of the pre-trained encoder.

    The pre-training saw most of these shapes, without their names. The untrained encoder has PyTorch's initial weights.
    With the small ones that a training starts from, it gets 33 %: its tokens hold where a group is, not its shape.
    """
    import copy

    import torch

    from m2ae_mm.datasets.rooms.shapes_of_furniture import labelled_shapes
    from m2ae_mm.evaluation.linear_probe_metric import cross_validated_accuracy
    from m2ae_mm.models import shipped_model
    from m2ae_mm.visualization import feature_map
    from mmdet3d.registry import MODELS
    shapes, trained = labelled_shapes(_POINTS), shipped_model(ENCODER)
    torch.manual_seed(0)
    untrained = MODELS.build(copy.deepcopy(trained.cfg.model)).eval()
    batches = torch.from_numpy(shapes.points).split(32)
    features = {name: torch.cat([model.extract_feat(batch) for batch in batches]).numpy()
                for name, model in (('untrained', untrained), ('pre-trained', trained))}
    accuracy = {name: cross_validated_accuracy(each, shapes.labels, shapes.looks) for name, each in features.items()}
    path = feature_map(features, shapes.labels, shapes.names, out / 'features.png')
    return {'probe_untrained': accuracy['untrained'], 'probe_pretrained': accuracy['pre-trained']}, (
        f'A linear classifier of {len(shapes.labels)} pieces of furniture of {len(shapes.names)} kinds: '
        f'{accuracy["untrained"]:.0f} % correct by the features of an untrained encoder, '
        f'{accuracy["pre-trained"]:.0f} % by those of {ENCODER}. Map of the features: {path}')
