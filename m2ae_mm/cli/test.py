"""Evaluate a checkpoint with the metrics of its config."""
import argparse
from pathlib import Path

from ..errors import UserError
from .options import base_parser, load_config


def parse_args(arguments: list[str] | None = None):
    parser = base_parser(__doc__)
    parser.add_argument('checkpoint',
                        help=".pth or .safetensors file, the name of weights that come with the package, or 'random' "
                        'for untrained ones')
    parser.add_argument('--show-dir', help='write a picture of every sample as PNG into this folder')
    parser.add_argument('--max-pictures', type=int, default=50, help='stop drawing after so many samples')
    parser.add_argument('--gallery', metavar='DIR', help='write an HTML page of all scenes, true boxes beside '
                        'detections, into this folder; for segmentors a page a scene, to turn, at most --max-pictures')
    parser.add_argument('--score-thr', type=_score, default=0.3, metavar='SCORE',
                        help="boxes below this score are not drawn; 'auto' chooses the one of highest F1 on scenes of "
                        'the training (default: %(default)s)')
    return parser.parse_args(arguments)


def _score(text: str) -> float | str:
    if text == 'auto':
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number or 'auto', got {text!r}") from None


def check_data_options(options: list[str]) -> None:
    """Refuse options for the data of the validation, which is not read here, without those for the data of the test."""
    keys = {option.partition('=')[0] for option in options}
    for key in sorted(keys):
        test_key = key.replace('val_dataloader.', 'test_dataloader.', 1)
        if key.startswith('val_dataloader.') and key.endswith(('.data_root', '.ann_file')) and test_key not in keys:
            raise UserError(f'--cfg-options sets {key}, but tools/test.py reads test_dataloader, which stays as it is '
                            f'in the config. Set {test_key}, too, or instead.')


def main(args) -> None:
    from m2ae_mm.checkpoint import describe, shipped_names
    check_data_options(args.cfg_options)
    if args.checkpoint in shipped_names() and describe(args.checkpoint)['task'] == 'pre-training':
        args.pretrained = args.checkpoint  # these weights bring their own sizes
    config = load_config(args)

    from m2ae_mm.checkpoint import load_for_test
    from m2ae_mm.engine import TESTING, M2AERunner, class_count, prepare
    prepare(config, TESTING, None if args.checkpoint == 'random' else args.checkpoint)
    config.custom_hooks = [*(config.get('custom_hooks') or []), dict(type='M2AEFinitePredictionsHook')]
    # The test needs all of the weights: the pre-training of the backbone is
    # not read again, and nothing may be missing.
    config.load_from, config.resume = None, False
    config.compile = False  # which would take longer than the test
    runner = M2AERunner.from_cfg(config)
    runner.prepared = True
    if args.checkpoint == 'random':
        runner.model.init_weights()
    else:
        metainfo = getattr(runner.test_dataloader.dataset, 'metainfo', None) or {}
        has_classes = class_count(config) is not None  # features have none
        load_for_test(runner.model, args.checkpoint, metainfo.get('classes') or () if has_classes else (), config.model)
    add_pictures(runner, config, args)
    runner.test()


def add_pictures(runner, config, args) -> None:
    """Hooks for what the options ask to be drawn."""
    if not (args.show_dir or args.gallery):
        return
    from m2ae_mm.engine import picture_threshold
    from m2ae_mm.engine.hooks import M2AEGalleryHook, M2AEPictureHook
    chosen = picture_threshold(config, runner.model) if args.score_thr == 'auto' else None
    score = chosen.score if chosen else args.score_thr
    if args.show_dir:
        runner.register_hook(M2AEPictureHook(args.show_dir, score, args.max_pictures))
    if args.gallery and config.model.get('decode_head'):
        runner.register_hook(M2AEPictureHook(args.gallery, limit=args.max_pictures, pages=True))
    elif args.gallery:
        title = f'Detections of {Path(config.filename).stem}'
        runner.register_hook(M2AEGalleryHook(args.gallery, score, chosen, title))
