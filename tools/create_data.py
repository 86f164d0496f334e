#!/usr/bin/env python
"""Prepare a data set from the files that its authors hand out."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('data')
