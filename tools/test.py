#!/usr/bin/env python
"""Evaluate a checkpoint with the metrics of its config."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('test')
