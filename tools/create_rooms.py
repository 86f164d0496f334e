#!/usr/bin/env python
"""Compose furnished rooms with 3D boxes in ScanNet's layout."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('rooms')
