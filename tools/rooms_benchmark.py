#!/usr/bin/env python
"""Train detectors on composed rooms, equally long and with several seeds."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('rooms_benchmark')
