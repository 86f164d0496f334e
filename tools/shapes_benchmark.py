#!/usr/bin/env python
"""Every shape task on small sets, with and without pre-training."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('shapes_benchmark')
