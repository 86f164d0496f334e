#!/usr/bin/env python
"""Convert a published Point-M2AE, I2P-MAE, 3DETR or V-DETR checkpoint to one that the configs load, or merge LoRA."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('convert')
