"""Convert a published Point-M2AE, I2P-MAE, 3DETR or V-DETR checkpoint to one that the configs load, or merge LoRA."""
import argparse
from pathlib import Path

from ..errors import UserError

# Checked against checkpoint.published.PUBLISHED by a test; --help must not wait for PyTorch.
FAMILIES = ('point_m2ae', 'i2p_mae', '3detr', 'vdetr')


def parse_args(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help='published checkpoint (.pth or .safetensors), one of a training with LoRA, or '
                        'an address')
    parser.add_argument('target', type=Path, help='file to write (.pth or .safetensors)')
    parser.add_argument('--as', dest='family', choices=FAMILIES,
                        help='whose it is: fine-tuned classifiers of Point-M2AE and I2P-MAE have the same names and '
                        'shapes, but other configs (default: as the names tell, Point-M2AE of these two)')
    return parser.parse_args(arguments)


def main(args) -> None:
    if args.target.suffix not in ('.pth', '.safetensors'):
        raise UserError(f'the target must end in .pth or .safetensors, got {str(args.target)!r}.')
    if args.target.exists():
        raise UserError(f'{str(args.target)!r} exists already; remove it or choose another name.')

    from m2ae_mm.checkpoint import convert_published, is_low_rank, merge_checkpoint, read_content, write_checkpoint
    content = read_content(args.source, convert=False)
    source = content['state_dict']
    if is_low_rank(source):
        merged, meta = merge_checkpoint(content, args.source)
        write_checkpoint(merged, args.target, meta)
        print(f'merged {(len(source) - len(merged)) // 3} pairs of low-rank matrices into their weights\nwrote '
              f'{args.target}, to be used with the config of the training and model.backbone.lora=None')
        return
    model, converted = convert_published(source, args.family)
    write_checkpoint(converted, args.target)
    left_out = model.what_is_left_out(source)
    alike = '' if args.family else model.what_is_alike()
    print(f'found {model.title} with {len(source)} tensors; {"the others" if left_out else "all"} were converted.'
          f'{left_out}\nwrote {args.target}, to be used with {model.config}.{alike}')
