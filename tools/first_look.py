#!/usr/bin/env python
"""See in about a minute what comes with the package: detections, reconstructions, a linear probe."""
from m2ae_mm_start import command

if __name__ == '__main__':
    command('first_look')
