#!/usr/bin/env python
"""Train whatever a config describes: pre-training, detection, classification, segmentation."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('train')
