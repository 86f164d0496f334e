#!/usr/bin/env python
"""Measure a training run as tools/train.py does it against its own bare step."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('whole_run')
