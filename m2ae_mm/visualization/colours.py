"""Colours that can be told apart."""
import numpy as np

_FIRST = (0.12, 0.45, 0.7)
# On white ground; share of red, green and blue in what the eye takes for brightness.
_BRIGHTNESS, _BRIGHTEST = (0.3, 0.59, 0.11), 0.8


def distinct_colours(count: int) -> np.ndarray:
    """``(count, 3)`` r, g, b in 0..1: each the farthest from all before it, whatever the count."""
    levels = np.linspace(0, 1, 9)
    candidates = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3)
    candidates = candidates[candidates @ _BRIGHTNESS < _BRIGHTEST]
    found = [np.array(_FIRST)]
    nearest = np.linalg.norm(candidates - found[0], axis=1)
    while len(found) < count:
        found.append(candidates[nearest.argmax()])
        nearest = np.minimum(nearest, np.linalg.norm(candidates - found[-1], axis=1))
    return np.array(found[:count]).reshape(-1, 3)
