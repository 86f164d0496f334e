"""Results as one HTML page that opens from disk, without a network, and turns in the browser."""
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from m2ae_mm.files import write_text

from .colours import NO_CLASS, NO_CLASS_NAME, WRONG, distinct_colours
from .labels import has_class, mistakes
from .render import EDGES, box_corners

# More points make a page heavy without showing more.
_MOST_POINTS = 60000
# Of a room's height. What is above, a ceiling and the tops of walls, hides the rest from above and is shown on demand.
_OPEN_FROM = 0.88
# The class that does so where points have classes.
_HIDES = 'ceiling'
_PAGE = '''<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ margin: 0; font-family: sans-serif; }} h1 {{ font-size: 16px; font-weight: normal; margin: 8px 12px; }}
#scene {{ height: calc(100vh - 40px); }}</style></head>
<body><h1>{title}</h1><div id="scene"></div>
<script>{library}</script>
<script>Plotly.newPlot("scene", {traces}, {layout}, {{responsive: true, displaylogo: false}});</script>
</body></html>
'''


def write_scene_page(path: str | Path, xyz: np.ndarray, rgb: np.ndarray, boxes: np.ndarray, result: Mapping,
                     title: str) -> None:
    """A room with its boxes; a class is shown and hidden by a click on its name.

    Args:
        path: Of the page.
        xyz: ``(N, 3)`` metres, z up.
        rgb: ``(N, 3)`` in 0..255.
        boxes: ``(M, 7)`` in the frame of ``xyz``.
        result: ``classes``, ``scores``, and as ``boxes`` those in the frame of the scan, M each.
        title: Of the page.
    """
    names = sorted(set(result['classes']))
    colours = [_css(255 * colour) for colour in distinct_colours(max(len(names), 1))]
    corners = box_corners(boxes)
    traces = _room(xyz, rgb)
    for name, colour in zip(names, colours):
        mine = [i for i, each in enumerate(result['classes']) if each == name]
        traces.append(_edges(corners[mine], [_tooltip(result, i) for i in mine], colour, name))
        traces.append(_labels(corners[mine], [f'{name} {result["scores"][i]:.2f}' for i in mine], name))
    write_page(path, traces, title)


def write_cloud_page(path: str | Path, parts: Mapping[str, np.ndarray], colours: Sequence[Sequence[float]],
                     title: str) -> None:
    """Clouds of one frame, each in its colour; one is shown and hidden by a click on its name.

    Args:
        path: Of the page.
        parts: ``(N, 3)`` points by name.
        colours: r, g, b in 0..255 of each part.
        title: Of the page.
    """
    write_page(path, [_one_colour(xyz, colour, name) for (name, xyz), colour in zip(parts.items(), colours)], title)


def write_labels_page(path: str | Path, xyz: np.ndarray, truth: np.ndarray | None, found: np.ndarray,
                      class_names: Sequence[str], palette: Sequence[Sequence[int]], title: str) -> None:
    """A room in the colours of its classes, truth on the left of the prediction; a click on a name hides both.

    Wrong points and ceilings are shown on demand.

    Args:
        path: Of the page.
        xyz: ``(N, 3)`` metres, z up.
        truth: ``(N,)`` positions in ``class_names``, others for points without a class; None for none.
        found: ``(N,)`` as predicted.
        class_names: Of all classes.
        palette: r, g, b in 0..255 of each class.
        title: Of the page.
    """
    every = max(1, -(-len(xyz) // (_MOST_POINTS if truth is None else _MOST_POINTS // 2)))
    xyz, found = xyz[::every].astype(np.float64), found[::every]
    truth = None if truth is None else truth[::every]
    # As wide as the room, and a metre between both.
    copies = [(xyz, found)] if truth is None else [(xyz - [np.ptp(xyz[:, 0]) + 1., 0, 0], truth), (xyz, found)]
    traces, named = [], set()
    for points, labels in copies:
        for label in np.unique(labels).tolist():
            known = 0 <= label < len(class_names)
            name, colour = (class_names[label], palette[label]) if known else (NO_CLASS_NAME, NO_CLASS)
            traces.append(dict(_one_colour(points[labels == label], colour, name), legendgroup=name,
                               showlegend=name not in named, visible='legendonly' if name == _HIDES else True))
            named.add(name)
    if truth is not None:
        wrong = xyz[mistakes(truth, found, len(class_names))]
        counted = max(int(has_class(truth, len(class_names)).sum()), 1)  # as in the picture
        traces.append(dict(_one_colour(wrong, WRONG, f'wrong ({len(wrong) / counted:.0%})'),
                           visible='legendonly'))
    write_page(path, traces, title)


def _one_colour(xyz: np.ndarray, colour: Sequence[float], name: str) -> dict:
    return _points(xyz, np.tile(colour, (len(xyz), 1)), name, single=True)


def write_page(path: str | Path, traces: Sequence[dict], title: str) -> None:
    """A page of plotly's traces."""
    from plotly.offline import get_plotlyjs
    axis = dict(title=dict(text=''), showbackground=False, zeroline=False)
    layout = dict(
        margin=dict(l=0, r=0, t=0, b=0),
        # On the left: on the right are plotly's buttons.
        legend=dict(itemsizing='constant', x=0, xanchor='left', y=1, bgcolor='rgba(255,255,255,0.8)'),
        scene=dict(aspectmode='data', xaxis=axis, yaxis=axis, zaxis=axis,
                   camera=dict(eye=dict(x=-1.05, y=-1.4, z=1.6), center=dict(x=0, y=0, z=-0.15))))
    write_text(Path(path), _PAGE.format(title=html.escape(title), library=get_plotlyjs(), traces=_script(list(traces)),
                                        layout=_script(layout)))


def _room(xyz: np.ndarray, rgb: np.ndarray) -> list[dict]:
    """Its points, those near the top apart and hidden."""
    low, high = np.percentile(xyz[:, 2], (1, 99)) if len(xyz) else (0., 0.)
    level = low + _OPEN_FROM * (high - low)
    top = xyz[:, 2] > level
    above = dict(_points(xyz[top], rgb[top], f'points above {level:.1f} m'), visible='legendonly')
    return [_points(xyz[~top], rgb[~top], 'points'), *([above] if top.any() else [])]


def _points(xyz: np.ndarray, rgb: np.ndarray, name: str, single: bool = False) -> dict:
    every = max(1, -(-len(xyz) // _MOST_POINTS))
    xyz, rgb = xyz[::every], rgb[::every]
    colour = _css(rgb[0]) if single and len(rgb) else [_css(each) for each in rgb]
    return dict(type='scatter3d', mode='markers', name=html.escape(name), hoverinfo='skip', **_columns(xyz),
                marker=dict(size=1.6, color=colour))


def _edges(corners: np.ndarray, told: Sequence[str], colour: str, name: str) -> dict:
    """The edges of boxes as one line with gaps."""
    lines, texts = [], []
    for box, text in zip(corners, told):
        for first, last in EDGES:
            lines += [box[first], box[last], [None] * 3]
            texts += [text, text, '']
    x, y, z = zip(*([None if value is None else round(float(value), 4) for value in row] for row in lines))
    return dict(type='scatter3d', mode='lines', name=f'{html.escape(name)} ({len(corners)})', x=x, y=y, z=z,
                text=texts, hoverinfo='text', line=dict(width=6, color=colour), legendgroup=html.escape(name))


def _labels(corners: np.ndarray, told: Sequence[str], name: str) -> dict:
    """A text above each box, which goes with its edges."""
    places = np.stack([*corners[:, :, :2].mean(1).T, corners[:, :, 2].max(1) + 0.12], 1)
    return dict(type='scatter3d', mode='text', **_columns(places), text=[html.escape(each) for each in told],
                textfont=dict(size=12, color='#222'), hoverinfo='skip', showlegend=False,
                legendgroup=html.escape(name))


def _tooltip(result: Mapping, i: int) -> str:
    """Text of a box that the pointer is on, in the frame of the scan."""
    box = result['boxes'][i]
    center, size = (' '.join(f'{value:.6g}' for value in part) for part in (box[:3], box[3:6]))
    return (f'{html.escape(result["classes"][i])} {result["scores"][i]:.2f}<br>center {center}<br>size {size}<br>'
            f'yaw {box[6]:.2f}')


def _columns(xyz: np.ndarray) -> dict:
    return {axis: np.round(xyz[:, i].astype(np.float64), 4).tolist() for i, axis in enumerate('xyz')}


def _css(colour: Sequence[float]) -> str:
    return '#{:02x}{:02x}{:02x}'.format(*(int(np.clip(round(float(value)), 0, 255)) for value in colour))


def _script(value) -> str:
    """JSON that can stand in a script: no tag can end it."""
    return json.dumps(value).replace('<', '\\u003c').replace('\u2028', '\\u2028').replace('\u2029', '\\u2029')
