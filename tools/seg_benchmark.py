#!/usr/bin/env python
"""Compare ways to tune an encoder for the segmentation of composed rooms."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('seg_benchmark')
