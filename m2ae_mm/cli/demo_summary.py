"""The result of a run of the demo, for somebody who sees it for the first time."""
from collections.abc import Mapping

Range = tuple[float, float]
# From the lowest to the highest figure that a run with the default settings gives, whatever its seed. Percent, but for
# minutes (on two cores that nothing else uses) and the reconstruction error (square metres).
EXPECTED: dict[str, Range] = {
    'linear probe, untrained encoder': (53, 59),
    'linear probe, shipped encoder': (65, 71),
    'shipped detector AP25': (70, 76),
    'shipped detector AP50': (44, 51),
    'reconstruction error': (0.085, 0.1),
    'from scratch AP25': (33, 46),
    'from scratch AP50': (12, 23),
    'pre-trained AP25': (33, 46),
    'pre-trained AP50': (12, 23),
    'minutes': (9, 15),
}
_WIDTH = 48
# Points of AP by which runs that differ in the seed alone were apart: 3.6 at most (docs/results.md).
_CHANCE = 4
_METRICS = {'AP25': 'mAP_0.25', 'AP50': 'mAP_0.50'}
_DETECTORS = {'shipped detector': 'comes with the package, trained for longer',
              'from scratch': 'trained here, from random weights',
              'pre-trained': 'trained here, from the pre-training here'}


def summary(results: Mapping[str, Mapping[str, float]], seconds: Mapping[str, float], whole: float, rooms: int,
            as_default: bool = True, goes_on: bool = False) -> str:
    """All results as text, and whether they are as expected.

    Args:
        results: Of ``first look``, ``pre-training`` and the test of each detector.
        seconds: Of each step.
        whole: Seconds from the first step to the end; some steps run side by side.
        rooms: How many the detectors were tested on.
        as_default: Whether this run has the settings of the expected ranges.
        goes_on: Whether an earlier run had done a part of it.
    """
    figures = collect(results, whole)
    expected = {name: bounds for name, bounds in EXPECTED.items()
                if as_default and not (goes_on and name == 'minutes')}

    def line(name: str, meaning: str, digits: int = 1) -> str:
        return f'  {meaning:<{_WIDTH}}{figures[name]:9.{digits}f}{_range(expected.get(name))}'

    lines = [
        'Before any training: does pre-training teach an encoder what shapes are?',
        '  Furniture that a linear classifier names correctly by the features of an encoder, in percent',
        line('linear probe, untrained encoder', 'an untrained encoder'),
        line('linear probe, shipped encoder', 'the one that comes with the package'),
        '',
        'Pre-training on rooms: the encoder learns to fill in the masked parts of a room, without any label.',
        line('reconstruction error', 'error in rooms not seen (Chamfer distance, m^2)', 4),
        '',
        f'Finding furniture in {rooms} rooms, none of it seen in training. AP, in percent, is the precision,',
        'averaged over recall and classes; a box is right if it overlaps the true one by 25 % (AP25) or 50 % (AP50).',
    ]
    lines += [line(f'{detector} {metric}', f'{metric}, {meaning}')
              for metric in _METRICS for detector, meaning in _DETECTORS.items()]
    lines.append(_worth(figures))
    score = results['pre-trained'].get('picture_score_thr')
    if score is not None:
        lines.append(f'  Pictures show boxes with a score above {score:.2f}, which had the best balance of right and '
                     'wrong boxes (F1) on training rooms.')
    steps = ', '.join(f'{name} {value / 60:.1f}' for name, value in seconds.items())
    lines += ['', f'{figures["minutes"]:.1f} minutes{" after an earlier run" if goes_on else ""}'
              f'{_range(expected.get("minutes"))}: {steps}', '']
    return '\n'.join([*lines, verdict(figures, expected) if as_default else
                      'Expected ranges are known for the default settings only; these were others.'])


def _worth(figures: Mapping[str, float]) -> str:
    """What the pre-training of this run is worth."""
    gains = (figures[f'pre-trained {metric}'] - figures[f'from scratch {metric}'] for metric in _METRICS)
    told = ' and '.join(f'{gain:+.1f} {metric}' for gain, metric in zip(gains, _METRICS))
    return (f'  The pre-training here is worth {told}; another seed makes differences of up to {_CHANCE} points.\n'
            '  A longer one brought detectors trained for 400 steps four to five points of AP25: docs/vdetr.md, "When '
            'pre-training pays".')


def collect(results: Mapping[str, Mapping[str, float]], whole: float) -> dict[str, float]:
    """The figures that :data:`EXPECTED` has ranges for."""
    figures = {'linear probe, untrained encoder': results['first look']['probe_untrained'],
               'linear probe, shipped encoder': results['first look']['probe_pretrained'],
               'reconstruction error': results['pre-training']['reconstruction/chamfer'],
               'minutes': whole / 60}
    for detector in _DETECTORS:
        figures.update({f'{detector} {metric}': 100 * results[detector][key] for metric, key in _METRICS.items()})
    return figures


def verdict(figures: Mapping[str, float], expected: Mapping[str, Range]) -> str:
    """One line: whether all is as expected."""
    outside = [f'{name} is {figures[name]:.4g}{_range(bounds)}' for name, bounds in expected.items()
               if not bounds[0] <= figures[name] <= bounds[1]]
    if outside:
        return f'NOT AS EXPECTED: {"; ".join(outside)}.'
    return f'All {len(expected)} figures with an expected range are within it.'


def _range(bounds: Range | None) -> str:
    return '' if bounds is None else f' (expected {bounds[0]:g} to {bounds[1]:g})'
