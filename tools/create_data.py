#!/usr/bin/env python
"""Prepare a data set: one from the files that its authors hand out, or your own labelled rooms."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('data')
