#!/usr/bin/env python
"""Measure operators, training steps, inference and data loading."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('benchmark')
