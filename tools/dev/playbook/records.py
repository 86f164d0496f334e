"""Result files: what was measured, on what, with which code."""
import hashlib
import json
import platform
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
MEASURED = ROOT / 'docs' / 'measured'


class Record:
    """One result file, written anew with every row.

    Args:
        path: The JSON file.
        stage: Name of the stage.
        code: Hash of the code measured (:func:`hash_of`).
        **about: Card, versions, seed and the like.
    """

    def __init__(self, path: Path, stage: str, code: str, **about: Any) -> None:
        self.path = path
        self.content: dict[str, Any] = dict(stage=stage, date=time.strftime('%Y-%m-%d'), code=code, **about,
                                            complete=False, rows=[])
        self.write()

    def add(self, **row: Any) -> None:
        """One more row."""
        self.content['rows'].append(row)
        self.write()
        print('   ', ', '.join(f'{key} {_short(value)}' for key, value in row.items()), flush=True)

    def set(self, **entries: Any) -> None:
        """Entries beside the rows."""
        self.content.update(entries)
        self.write()

    def write(self) -> None:
        new = self.path.with_suffix('.new')
        new.write_text(json.dumps(self.content, indent=1))
        new.replace(self.path)


def _short(value: Any) -> str:
    text = f'{value:.4g}' if isinstance(value, float) else str(value)
    return text if len(text) <= 120 else f'{text[:117]}...'


def hash_of(patterns: tuple[str, ...], root: Path = ROOT) -> str:
    """Hash of the files that the patterns name, and of their names."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in root.glob(pattern) if path.is_file()}):
        digest.update(path.relative_to(root).as_posix().encode() + b'\0' + path.read_bytes())
    return digest.hexdigest()[:16]


def describe(stage, folder: Path) -> str:
    """Whether the stage was run, on what, and whether its code has changed since."""
    path = folder / f'{stage.name}.json'
    if not path.is_file():
        return 'due: never run'
    found = json.loads(path.read_text())
    state = 'done' if found['complete'] else 'due: cut off'
    if found['code'] != hash_of(stage.code):
        state = 'due: its code has changed since'
    return f'{state} ({found["date"]}, {found["card"]}, commit {found["commit"] or "unknown"})'


def machine(commit: str) -> dict[str, Any]:
    """Commit, card and versions."""
    import numpy
    import torch
    versions = dict(python=platform.python_version(), torch=torch.__version__, numpy=numpy.__version__)
    card = 'CPU'
    if torch.cuda.is_available():
        import triton
        card = torch.cuda.get_device_name()
        versions.update(cuda=torch.version.cuda, triton=triton.__version__)
    return dict(commit=commit or _git_commit(), card=card, versions=versions)


def _git_commit() -> str:
    try:
        done = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return ''
    return done.stdout.strip()


def save_half(model, path: Path, keys: str = '') -> None:
    """Weights below ``keys`` in half precision."""
    from safetensors.torch import save_file
    save_file(in_half({name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()
                       if name.startswith(keys)}), path)


def in_half(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors in half precision; running statistics of norms, some too small for it, as they are."""
    return {name: value.half() if value.is_floating_point() and '.running_' not in name else value
            for name, value in weights.items()}
