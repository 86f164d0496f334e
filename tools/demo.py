#!/usr/bin/env python
"""Pre-train Point-M2AE on composed rooms, fine-tune a detector from it and compare with one from scratch."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('demo')
