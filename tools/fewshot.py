#!/usr/bin/env python
"""Few-shot classification: every fold of a config, then mean and deviation."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('fewshot')
