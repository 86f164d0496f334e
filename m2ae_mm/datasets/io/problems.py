"""One message for everything that is wrong with the files of a data set."""
from collections import defaultdict
from pathlib import Path

_SHOWN = 5


class Problems:
    """Collects missing, short and unreadable files and reports them together.

    Args:
        owner: Name of the data set, for the message.
        layout: Where its files belong, in one or two sentences.
        place: Of the data set in a config for training, for the message; None if there is no config.
    """

    def __init__(self, owner: str, layout: str, place: str | None = 'train_dataloader.dataset') -> None:
        self.owner = owner
        self.layout = layout
        self.place = place
        self.found: dict[str, list[str]] = defaultdict(list)
        self.checked = 0

    def add(self, kind: str, path: str | Path, reason: str = '') -> None:
        """Note one file; ``kind`` is ``'missing'``, ``'short'`` or ``'unreadable'``."""
        self.found[kind].append(f'{path}{f" ({reason})" if reason else ""}')

    def check_file(self, path: str | Path) -> bool:
        """Whether ``path`` is a file that is not empty; notes it if not."""
        self.checked += 1
        path = Path(path)
        if not path.is_file():
            self.add('missing', path)
        elif not path.stat().st_size:
            self.add('short', path, 'empty')
        else:
            return True
        return False

    def lines(self) -> list[str]:
        """Each file that was noted, with what is wrong."""
        return [f'{kind}: {path}' for kind, paths in self.found.items() for path in paths]

    def raise_any(self) -> None:
        """Raise if anything was noted.

        Raises:
            FileNotFoundError: If files are missing.
            ValueError: If files are there but short or unreadable.
        """
        if not self.found:
            return
        counts = ', '.join(f'{len(paths)} {kind}' for kind, paths in self.found.items())
        lines = [f'{self.owner}: of {self.checked} files checked, {counts}.']
        for kind, paths in self.found.items():
            lines += [f'  {kind}: {path}' for path in paths[:_SHOWN]]
            if len(paths) > _SHOWN:
                lines.append(f'  {kind}: ... and {len(paths) - _SHOWN} more')
        lines.append(self.layout)
        if self.place is not None:
            lines.append(f'Files elsewhere? --data /path/to/it, or set {self.place}.data_root and the others.')
        raise (FileNotFoundError if 'missing' in self.found else ValueError)('\n'.join(lines))
