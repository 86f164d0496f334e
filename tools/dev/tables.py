#!/usr/bin/env python
"""Make the tables of the docs from docs/measured/*.json, and that of the weights from m2ae_mm/weights/*.json.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``. Without options the pages are rewritten;
--check only says which are out of date.
"""
import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PLACE = re.compile(r'(<!-- table: (\w+) -->\n).*?(<!-- end -->)', re.DOTALL)
_CASES = dict(
    pretrain='pre-training step, 2,048 points', features='frozen features, 1,024 points',
    classify='classification step, 1,024 points', detect='3DETR-m training, 40,000 points',
    detect_infer='3DETR-m inference, 40,000 points', vdetr='V-DETR on our encoder, training, 40,000 points',
    vdetr_infer='V-DETR on our encoder, inference, 40,000 points')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='change nothing; exit with 1 if a page is out of date')
    args = parser.parse_args()
    changed = [page for page in sorted((ROOT / 'docs').glob('*.md')) if update(page, write=not args.check)]
    for page in changed:
        print(f'{page.relative_to(ROOT)}: {"out of date" if args.check else "written"}')
    return bool(changed and args.check)


def update(page: Path, write: bool) -> bool:
    """Whether the page's tables were out of date."""
    before = page.read_text()
    after = _PLACE.sub(lambda found: found[1] + table(found[2]) + found[3], before)
    if write and after != before:
        page.write_text(after)
    return after != before


def table(name: str, folder: Path = ROOT / 'docs' / 'measured') -> str:
    """The Markdown of one result file, and a line on where it was measured.

    Raises:
        ValueError: If no such table is known.
    """
    if name not in _TABLES:
        raise ValueError(f'there is no table {name!r}; known are {", ".join(_TABLES)}.')
    if name == 'weights':
        return _weights(ROOT / 'm2ae_mm' / 'weights')
    found = json.loads((folder / f'{name}.json').read_text())
    versions = ', '.join(f'{key} {value}' for key, value in found['versions'].items())
    source = f'{found["card"]}, {found["date"]}, commit {found["commit"]}, {versions}; `{found["command"]}`.'
    cut = '' if found['complete'] else ' Cut off: what is missing was not measured.'
    note = f' {found["note"]}' if 'note' in found else ''
    return f'{_TABLES[name](found["rows"])}\n{source}{cut}{note}\n'


def _lines(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return ''.join(f'| {" | ".join(cells)} |\n' for cells in lines)


def _kernel_tests(rows: list[dict]) -> str:
    cells = [[row['file'], str(row.get('passed', 0)),
              ', '.join(row.get('failed_test', [])) or str(row.get('failed', 0))] for row in rows if 'file' in row]
    cells += [[f'indices of {row["operator"]}, {row["clouds"]} clouds of {row["points"]:,}',
               'equal' if row['equal'] else '', '' if row['equal'] else 'differ'] for row in rows if 'operator' in row]
    return _lines(['tests on the device', 'passed', 'failed'], cells)


def _benchmark(rows: list[dict]) -> str:
    cells = []
    for row in rows:
        name = _CASES[row['case']]
        if 'error' in row:
            cells.append([name, '', row['error'], '', ''])
            continue
        cells.append([name, str(row['batch']), f'{row["samples_a_second"]:,.0f}',
                      _time(row), f'{row["mib_reserved"]:,.0f}'])
    return _lines(['work, bfloat16', 'batch', 'samples/s', 'ms (10 % to 90 %)', 'MiB reserved'], cells)


def _time(row: dict) -> str:
    """Median and percentiles, which are one number where there was time for one measurement only."""
    spread = 'measured once' if row['ms_10'] == row['ms_90'] else f'{row["ms_10"]:.1f} to {row["ms_90"]:.1f}'
    return f'{row["ms"]:.1f} ({spread})'


def _compiler(rows: list[dict]) -> str:
    base = {row['case']: row['ms'] for row in rows if row['variant'] == 'kernels' and 'ms' in row}
    cells = []
    for row in rows:
        what = {'kernels': 'as it is', 'compiled': 'all by torch.compile', 'reduce-overhead':
                'all by torch.compile, reduce-overhead'}.get(row['variant'], f'`{row["variant"]}` by torch.compile')
        if 'ms' not in row:
            cells.append([_CASES[row['case']], what, row['error'], ''])
            continue
        more = f'{row["ms"] / base[row["case"]] - 1:+.0%}' if row['case'] in base else ''
        cells.append([_CASES[row['case']], what, _time(row), more])
    return _lines(['work, bfloat16', 'kernels', 'ms (10 % to 90 %)', 'against ours'], cells)


def _detection(rows: list[dict]) -> str:
    groups = _grouped([row for row in rows if 'AP25' in row], 'share', 'start')
    cells = [[f'{share:.0%}', start, *_over_seeds(found)]
             for (share, start), found in sorted(groups.items(), reverse=True)]
    return _lines(['labelled rooms', 'encoder', 'seeds', 'AP25', 'AP50'], cells)


def _detection_causes(rows: list[dict]) -> str:
    last = max(row['step'] for row in rows)
    groups = _grouped([row for row in rows if row['step'] == last], 'labelled', 'about')
    # Starts in the order of the rows.
    cells = [[str(labelled), about, *_over_seeds(found)]
             for (labelled, about), found in sorted(groups.items(), key=lambda item: item[0][0])]
    return _lines(['labelled rooms', 'encoder', 'seeds', 'AP25', 'AP50'], cells)


def _grouped(rows: list[dict], *keys: str) -> dict[tuple, list[dict]]:
    """Rows by their values of the keys."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def _over_seeds(rows: list[dict], keys: tuple[str, ...] = ('AP25', 'AP50'), factor: float = 1.) -> list[str]:
    """How many rows, and mean and deviation of some of their figures."""
    from statistics import mean, stdev
    figures = [[factor * row[key] for row in rows] for key in keys]
    return [str(len(rows)), *(f'{mean(each):.1f}' + (f' ± {stdev(each):.1f}' if len(each) > 1 else '')
                              for each in figures)]


def _tuning(rows: list[dict]) -> str:
    timed = all('cpu_ms' in row for row in rows)
    cells = [[f'{row["task"]}, {row["batch"]} clouds', row['mode'], f'{row["learn"]:,} of {row["all"]:,}',
              *([f'{row["cpu_ms"]:,.0f}'] if timed else []), f'{row["kept_mib"]:,.1f}', f'{row["state_mib"]:,.1f}']
             for row in rows]
    return _lines(['step', 'tuning', 'weights that learn', *(['CPU ms'] if timed else []),
                   'MiB kept for the backward pass', 'MiB of gradients and AdamW'], cells)


def _segmentation(rows: list[dict]) -> str:
    cells = [[f'{labels:.0%}', mode, {'scratch': 'random', 'pretrained': 'pre-trained'}[start],
              *_over_seeds(found, ('miou', 'acc'), 100), f'{found[0]["trained"]:,}']
             for (labels, mode, start), found in _grouped(rows, 'labels', 'mode', 'start').items()]
    return _lines(['labelled rooms', 'tuning', 'encoder', 'seeds', 'mIoU', 'accuracy', 'weights that learn'], cells)


def _weights(folder: Path) -> str:
    cells = []
    for path in sorted(folder.glob('*.json')):
        found = json.loads(path.read_text())
        size = path.with_suffix('.safetensors').stat().st_size / 1e6
        figures = '<br>'.join(f'{what}: {figure}' for what, figure in found['figures'].items())
        made = re.split('[;,:]', found['command'])[0]
        about = f'**`{path.stem}`**<br>{found["task"]}, {size:.1f} MB<br>`{found["config"]}`<br>by `{made}`'
        cells.append([about, figures])
    return _lines(['weights, task, config, made by', 'figures'], cells) + '\n'


_TABLES = dict(kernel_tests=_kernel_tests, benchmark=_benchmark, compiler=_compiler, detection=_detection,
               detection_causes=_detection_causes, segmentation=_segmentation, tuning=_tuning, weights=_weights)

if __name__ == '__main__':
    sys.exit(main())
