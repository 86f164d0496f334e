"""The printed table."""
from collections.abc import Sequence
from typing import Any

BASELINES = ('reference', 'plain')
_TITLE, _CELL = 32, 10
_HEADINGS = ('variant', 'precision', 'batch', 'samples/s', 'ms', '10 %', '90 %', 'MiB', 'GFLOP', 'MB', 'floor ms',
             'speed-up')
HEADER = f'{"case":<{_TITLE}}' + ''.join(f'{heading:>{_CELL}}' for heading in _HEADINGS)


def number(value: float | None) -> str:
    """Three digits that count; ``-`` for None."""
    if value is None:
        return '-'
    return f'{value:,.0f}' if abs(value) >= 100 else f'{value:.3g}'


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    precision = f'{row["precision"]}{"+comp" if row["compiled"] else ""}'
    start = f'{row["case"]:<{_TITLE}}{row["variant"]:>{_CELL}}{precision:>{_CELL}}{row["batch"]:>{_CELL}}'
    if 'error' in row:
        return f'{start}  not measured: {row["error"]}'
    memory = row['peak_memory_bytes']
    values = (row['samples_per_second'], row['ms'], row['ms_10'], row['ms_90'],
              None if memory is None else memory / 2**20, row['flops'] / 1e9, row['moved_bytes'] / 1e6,
              row['floor_ms'], row['speed_up'])
    return start + ''.join(f'{number(value):>{_CELL}}' for value in values)


def speed_up(row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> float | None:
    """Samples a second over those of the reference or plain row before it; None for that row, or without it."""
    if row['variant'] in BASELINES or 'error' in row:
        return None
    same = ('case', 'precision', 'compiled', 'batch')
    for other in rows:
        if other['variant'] in BASELINES and 'error' not in other and all(other[key] == row[key] for key in same):
            return row['samples_per_second'] / other['samples_per_second']
    return None
