#!/usr/bin/env python
"""Make weights that come with the package out of a checkpoint, in half precision.

Writes NAME.safetensors, NAME.json, NAME.log and SHA256SUMS.
"""
import argparse
import json
import shutil
from pathlib import Path

from m2ae_mm.cli.running import run

LARGEST = 30 * 2**20


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config that the checkpoint was trained with')
    parser.add_argument('checkpoint')
    parser.add_argument('name', help='name to load the weights by')
    parser.add_argument('--task', required=True, choices=['pre-training', 'detection', 'semantic segmentation'])
    parser.add_argument('--command', required=True, help='how it was trained')
    parser.add_argument('--data', required=True, help='file with the terms and credits of the training data')
    parser.add_argument('--log', required=True, help='log of the training')
    parser.add_argument('--figures', nargs='*', default=[], metavar='WHAT=FIGURE', help='measured with these weights')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from mmengine.config import Config
    from playbook.records import in_half

    import m2ae_mm  # noqa: F401
    from m2ae_mm.checkpoint import read_content, write_checkpoint
    from m2ae_mm.checkpoint.shipped import FOLDER, write_sums
    from m2ae_mm.checkpoint.trained_with import trained_classes
    content = read_content(Path(args.checkpoint))
    config = Config.fromfile(args.config)
    classes = trained_classes(content, Path(args.checkpoint)) or config.get('class_names', ())
    if not classes and not args.task.startswith('pre-training'):
        raise ValueError(f'neither {args.checkpoint} nor {args.config} (class_names) names the classes.')
    target = FOLDER / f'{args.name}.safetensors'
    write_checkpoint(in_half(content['state_dict']), target)
    if target.stat().st_size > LARGEST:
        size = target.stat().st_size
        target.unlink()
        raise ValueError(f'the weights take {size} bytes; the package takes up to {LARGEST}.')
    description = dict(
        task=args.task,
        config=args.config,
        command=args.command,
        figures=dict(figure.split('=', 1) for figure in args.figures),
        data=Path(args.data).read_text(),
        classes=classes,
        model=config.model.to_dict())
    target.with_suffix('.json').write_text(json.dumps(description, indent=1) + '\n')
    shutil.copyfile(args.log, target.with_suffix('.log'))
    write_sums()


if __name__ == '__main__':
    run(main)
