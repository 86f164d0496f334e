"""Learning curves and maps of features (figures 6 and 7 of the paper), folds of few-shot classification."""
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from .colours import distinct_colours

_MARKERS = 'osv^D'
_MOST_CLASSES = 15


def learning_curves(curves: Mapping[str, Sequence[tuple[float, float]]], quantity: str, path: str | Path) -> Path:
    """Write one line per training.

    Args:
        curves: Name -> (epoch, value) pairs.
        quantity: What the values are, for the axis.
        path: Of the picture, ending in .png or .svg.

    Returns:
        The path written.

    Raises:
        ValueError: If a curve has no point.
    """
    figure, axes = _new_figure((6.4, 4))
    for name, curve in curves.items():
        if not len(curve):
            raise ValueError(f'the curve {name!r} has no point.')
        epochs, values = zip(*sorted(curve))
        axes.plot(epochs, values, marker='.', label=name)
    axes.set(xlabel='epoch', ylabel=quantity)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return _save(figure, path)


def folds_chart(runs: Mapping[str, Mapping[int, float]], path: str | Path) -> Path:
    """Write the accuracy of each fold beside that of the same fold in other runs, and the means.

    Args:
        runs: Name -> fold -> accuracy in percent.
        path: Of the picture, ending in .png or .svg.

    Returns:
        The path written.

    Raises:
        ValueError: If a run has no fold.
    """
    empty = [name for name, folds in runs.items() if not folds]
    if empty:
        raise ValueError(f'{empty[0]!r} has no fold that is done.')
    figure, axes = _new_figure((6.4, 4))
    width = 0.8 / len(runs)
    for i, (name, folds) in enumerate(runs.items()):
        places = np.array(list(folds)) + (i - (len(runs) - 1) / 2) * width
        mean = float(np.mean(list(folds.values())))
        axes.bar(places, list(folds.values()), width, color=f'C{i}', label=f'{name}, mean {mean:.1f} %')
        axes.axhline(mean, color=f'C{i}', linestyle='--', linewidth=1)
    axes.set(xlabel='fold', ylabel='accuracy, percent', ylim=(0, 100),
             xticks=sorted({fold for folds in runs.values() for fold in folds}))
    axes.legend(frameon=False, loc='lower center', bbox_to_anchor=(0.5, 1), ncols=2)
    return _save(figure, path)


def feature_map(features: Mapping[str, np.ndarray], labels: np.ndarray, names: Sequence[str], path: str | Path,
                seed: int = 0) -> Path:
    """Write t-SNE maps of features side by side, one colour and marker per class.

    More than 15 colours cannot be told apart at a glance: of more classes, those with the most shapes are shown.

    Args:
        features: Title -> (M, C) features of the same M shapes.
        labels: (M,) class indices; only the classes that occur are shown.
        names: Class names.
        path: Of the picture, ending in .png or .svg.
        seed: Of the initial positions.

    Returns:
        The path written.

    Raises:
        ValueError: For fewer than three shapes, or features that are not one row per label.
    """
    from sklearn.manifold import TSNE
    if len(labels) < 3:
        raise ValueError(f'a map needs at least three shapes, got {len(labels)}.')
    for title, values in features.items():
        if len(values) != len(labels):
            raise ValueError(f'{title}: {len(values)} features for {len(labels)} labels.')
    occurring, counts = np.unique(labels, return_counts=True)
    shown = np.isin(labels, occurring[np.argsort(-counts, kind='stable')[:_MOST_CLASSES]])
    labels = labels[shown]
    figure, axes = _new_figure((6 * len(features), 5.4), len(features))
    for panel, (title, values) in zip(np.atleast_1d(axes), features.items()):
        perplexity = min(30., (len(labels) - 1) / 3)
        places = TSNE(perplexity=perplexity, init='pca', random_state=seed).fit_transform(np.asarray(values)[shown])
        _scatter(panel, places, labels, names)
        panel.set(title=title, xticks=[], yticks=[])
    handles, texts = panel.get_legend_handles_labels()
    told = f'the {len(texts)} largest of {len(occurring)} classes' if len(texts) < len(occurring) else None
    figure.legend(handles, texts, loc='center left', bbox_to_anchor=(1, 0.5), frameon=False, fontsize='small',
                  title=told)
    return _save(figure, path)


def _scatter(panel, places: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> None:
    occurring = np.unique(labels)
    for order, (label, colour) in enumerate(zip(occurring, distinct_colours(len(occurring)))):
        chosen = labels == label
        panel.scatter(*places[chosen].T, s=22, color=colour, marker=_MARKERS[order % len(_MARKERS)], label=names[label])


def _new_figure(size: tuple[float, float], panels: int = 1):
    # Not pyplot, which keeps figures and may look for a screen.
    from matplotlib.figure import Figure
    figure = Figure(figsize=size, layout='constrained')
    return figure, figure.subplots(1, panels)


def _save(figure, path: str | Path) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, bbox_inches='tight')
    return path
