#!/usr/bin/env python
"""Draw learning curves of trainings, or a t-SNE map of the features of an encoder."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('plot')
