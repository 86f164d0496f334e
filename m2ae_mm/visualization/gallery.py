"""One HTML page of all evaluated scenes, truth beside prediction."""
import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np

from m2ae_mm.files import write_text

from .boxes import Boxes
from .colours import class_colours, wants_dark_ink
from .figures import judged_image
from .gallery_page import CARD, CHIP, PAGE
from .text import webp


class JudgedScene(NamedTuple):
    """A scene of the gallery.

    Attributes:
        name: Of its file.
        picture: WebP file.
        right, missed, wrong: Class names of the boxes found, of true boxes not found, and of wrong boxes.
    """
    name: str
    picture: bytes
    right: list[str]
    missed: list[str]
    wrong: list[str]

    def counts(self) -> dict[str, int]:
        """How many are right, missed and wrong."""
        return dict(right=len(self.right), missed=len(self.missed), wrong=len(self.wrong))


def judge_scene(name: str, points: np.ndarray, truth: Boxes, found: Boxes, matches: np.ndarray,
                class_names: Sequence[str]) -> JudgedScene:
    """Draw a scene and count.

    Args:
        name: Of its file.
        points: (N, 3) metres, or (N, 6) with r, g, b in 0..255.
        truth: True boxes.
        found: Predicted boxes to show.
        matches: (M,) indices of the true boxes that these match, -1 for none.
        class_names: Of all classes.
    """
    missed = ~np.isin(np.arange(len(truth.boxes)), matches)
    return JudgedScene(name, webp(judged_image(points, truth, found, matches, class_names)), *(
        [class_names[int(label)] for label in labels]
        for labels in (found.labels[matches >= 0], truth.labels[missed], found.labels[matches < 0])))


def write_gallery(path: Path, scenes: Sequence[JudgedScene], class_names: Sequence[str], title: str,
                  notes: Sequence[str] = (), figures: Mapping[str, float] | None = None) -> Path:
    """Write the page; pictures are inside, so it is one file that opens from disk.

    Args:
        path: Of the HTML file.
        scenes: In the order of the page.
        class_names: Of all classes, in the order of their colours.
        title: Its heading.
        notes: Sentences below the heading, e.g. how the score was chosen above which boxes are shown.
        figures: Names and values in percent to show on top.

    Returns:
        The path written.
    """
    total = {what: sum(scene.counts()[what] for scene in scenes) for what in ('right', 'missed', 'wrong')}
    page = Template(PAGE).substitute(
        title=escape(title), scenes=len(scenes), **total, things=total['right'] + total['missed'],
        shown=total['right'] + total['wrong'], precision=_percent(total['right'], total['wrong']),
        recall=_percent(total['right'], total['missed']), notes=' '.join(map(escape, notes)),
        figures=''.join(f'<div class="figure"><b>{value:.1f}</b>{escape(name)}</div>'
                        for name, value in (figures or {}).items()),
        chips=''.join(_chips(scenes, class_names)), cards='\n'.join(map(_card, scenes)))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)
    return path


def _chips(scenes: Sequence[JudgedScene], class_names: Sequence[str]):
    """The legend: a button for each class that occurs."""
    for name, colour in zip(class_names, class_colours(len(class_names))):
        right, missed, wrong = (sum(part.count(name) for part in parts)
                                for parts in list(zip(*scenes))[2:] or ((), (), ()))
        if right + missed + wrong:
            yield Template(CHIP).substitute(
                name=escape(name, quote=True), colour='rgb({:.0f},{:.0f},{:.0f})'.format(*colour), right=right,
                text='#111' if wants_dark_ink(colour) else '#fff', things=right + missed, wrong=wrong)


def _card(scene: JudgedScene) -> str:
    counts = scene.counts()
    boxes = 2 * counts['right'] + counts['missed'] + counts['wrong']
    return Template(CARD).substitute(
        counts, name=escape(scene.name), f1=f'{2 * counts["right"] / max(boxes, 1):.4f}',
        classes=escape(json.dumps(sorted({*scene.right, *scene.missed, *scene.wrong})), quote=True),
        picture=base64.b64encode(scene.picture).decode(), missed_names=escape(_listed('missed', scene.missed)),
        wrong_names=escape(_listed('wrong', scene.wrong)))


def _listed(what: str, names: Sequence[str]) -> str:
    counts = {name: names.count(name) for name in sorted(names)}
    return f'{what}: ' + ', '.join(f'{count} × {name}' if count > 1 else name for name, count in counts.items())


def _percent(part: int, rest: int) -> str:
    return f'{100 * part / max(part + rest, 1):.0f}'
