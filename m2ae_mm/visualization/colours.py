"""Colours that can be told apart."""
from collections.abc import Sequence

import numpy as np

# Of points without a class.
NO_CLASS, NO_CLASS_NAME = (205, 205, 205), 'no class'
# Of points that are taken for another class: far from the palettes of ScanNet and S3DIS.
WRONG = (230, 0, 126)
_FIRST = (0.12, 0.45, 0.7)
# Relative luminance at which black and white letters stand out alike (contrast of WCAG 2).
_DARK_INK_FROM = 0.18
# On white ground; share of red, green and blue in what the eye takes for brightness.
_BRIGHTNESS, _BRIGHTEST = (0.3, 0.59, 0.11), 0.8


# To tristimulus values of sRGB's primaries (IEC 61966-2-1), each over that of white.
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_LUMINANCE = _XYZ[1].copy()
_XYZ /= _XYZ.sum(axis=1, keepdims=True)


def distinct_colours(count: int, soft: bool = False, taken: Sequence[Sequence[float]] = ()) -> np.ndarray:
    """``(count, 3)`` r, g, b in 0..1: each looks the least like all before it and those taken, whatever the count.

    Pure colours stand out as lines and glare on surfaces, which want soft ones.
    """
    levels = np.linspace(0.1, 0.92, 9) if soft else np.linspace(0, 1, 9)
    candidates = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3)
    candidates = candidates[candidates @ _BRIGHTNESS < _BRIGHTEST]
    if soft:
        candidates = candidates[(candidates @ _BRIGHTNESS > 0.15) & (np.ptp(candidates, axis=1) < 0.7)]
    places = _lab(candidates)
    found = [np.array(_FIRST)]
    nearest = np.min([np.linalg.norm(places - _lab(np.array(each)), axis=1) for each in (found[0], *taken)], axis=0)
    while len(found) < count:
        best = nearest.argmax()
        found.append(candidates[best])
        nearest = np.minimum(nearest, np.linalg.norm(places - places[best], axis=1))
    return np.array(found[:count]).reshape(-1, 3)


def class_colours(count: int, taken: Sequence[Sequence[int]] = ()) -> np.ndarray:
    """``(count, 3)`` r, g, b in 0..255, whole numbers, unlike those taken."""
    return np.round(255 * distinct_colours(count, taken=np.divide(taken, 255)))


def wants_dark_ink(colour: Sequence[int]) -> bool:
    """Whether dark letters stand out more than white ones on a ground r, g, b in 0..255."""
    return float(_LUMINANCE @ _linear(np.divide(colour, 255))) > _DARK_INK_FROM


def _linear(colours: np.ndarray) -> np.ndarray:
    """Amounts of light of r, g, b in 0..1 of sRGB."""
    return np.where(colours > 0.04045, ((colours + 0.055) / 1.055)**2.4, colours / 12.92)


def _lab(colours: np.ndarray) -> np.ndarray:
    """CIE L*a*b*, in which colours that look alike are near each other, of ``(..., 3)`` r, g, b in 0..1."""
    x, y, z = np.moveaxis(np.cbrt(_linear(colours) @ _XYZ.T), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
