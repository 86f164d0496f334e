"""Passes over groups of members between the matrix products of a mini-PointNet.

Arrays: ``values`` (T, k, C) before a normalisation, ``norm`` (3, C) with its
mean, scale and shift (``relu(values * scale + shift)`` follows), ``sums`` over
all members in float64. All return what they summed up for groups ``start`` to
``stop``.
"""
import numpy as np

from .jit import kernel


@kernel
def add_and_measure(values, shared, start, stop):
    """Add ``shared`` (T, C) to every member, in place; ``(2, C)`` sums and sums of squares of the result."""
    _, k, channels = values.shape
    sums = np.zeros((2, channels), np.float64)
    total, spread = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for group in range(start, stop):
        total[:], spread[:] = 0, 0
        for i in range(k):
            for c in range(channels):
                value = values[group, i, c] + shared[group, c]
                values[group, i, c] = value
                total[c] += value
        # Squares of what differs from the group's mean keep float32 exact where the mean is far from 0.
        for i in range(k):
            for c in range(channels):
                difference = values[group, i, c] - total[c] / np.float32(k)
                spread[c] += difference * difference
        for c in range(channels):
            sums[0, c] += total[c]
            sums[1, c] += spread[c] + np.float64(total[c]) * total[c] / k
    return sums


@kernel
def collect(gradient, member, values, norm, start, stop):
    """What the gradient of a max-pool says about the linear layer and the normalisation before it.

    Only the members that were chosen have a gradient: 1 of k for each
    channel. ``gradient`` and ``member`` (T, P) are of what the max-pool gave
    and who was chosen.

    Returns:
        ``(2, P, C)``: sums over groups of ``gradient``, and of ``gradient * (values - mean)``, where the member's
        channel passed the ReLU.
    """
    _, k, channels = values.shape
    sums = np.zeros((2, gradient.shape[1], channels), np.float32)
    passed, moved = np.empty(channels, np.float32), np.empty(channels, np.float32)
    mean, scale, shift = norm[0], norm[1], norm[2]
    for group in range(start, stop):
        for i in range(k):
            for c in range(channels):
                value = values[group, i, c]
                passes = value * scale[c] + shift[c] > 0
                passed[c] = np.float32(1) if passes else np.float32(0)
                moved[c] = value - mean[c] if passes else np.float32(0)
            for pooled in range(gradient.shape[1]):
                if member[group, pooled] == i:
                    amount = gradient[group, pooled]
                    for c in range(channels):
                        sums[0, pooled, c] += amount * passed[c]
                    for c in range(channels):
                        sums[1, pooled, c] += amount * moved[c]
    return sums


@kernel
def spread(gradient, member, weight, values, norm, averages, start, stop, result, total):
    """Back from a max-pool through linear layer, ReLU and normalisation.

    Args:
        weight: ``(P, C)`` of the linear layer.
        averages: See :func:`through_norm`.
        result: ``(T, k, C)`` gradient before the normalisation, written.
        total: ``(T, C)`` its sum over members, written.
    """
    _, k, channels = values.shape
    mean, scale, shift = norm[0], norm[1], norm[2]
    for group in range(start, stop):
        result[group] = 0
        total[group] = 0
        for pooled in range(gradient.shape[1]):
            amount, i = gradient[group, pooled], member[group, pooled]
            for c in range(channels):
                result[group, i, c] += amount * weight[pooled, c]
        for i in range(k):
            for c in range(channels):
                value = values[group, i, c]
                amount = result[group, i, c] if value * scale[c] + shift[c] > 0 else np.float32(0)
                amount = scale[c] * (amount - averages[0, c] - (value - mean[c]) * averages[1, c])
                result[group, i, c] = amount
                total[group, c] += amount


@kernel
def through_max(gradient, member, weight, values, norm, start, stop, result):
    """Back from a max-pool through linear layer and ReLU, where the members have other gradients, too.

    Args:
        result: ``(T, k, C)`` the others, behind the ReLU; all of it before the
            ReLU, in place.

    Returns:
        Gradient ``(P, C)`` of ``weight``; ``(2, C)`` sums of ``result`` and of
        ``result * (values - mean)``.
    """
    _, k, channels = values.shape
    weight_gradient = np.zeros(weight.shape, np.float32)
    sums = np.zeros((2, channels), np.float64)
    hidden = np.empty((k, channels), np.float32)
    plain, moment = np.empty(channels, np.float32), np.empty(channels, np.float32)
    mean, scale, shift = norm[0], norm[1], norm[2]
    for group in range(start, stop):
        for i in range(k):
            for c in range(channels):
                hidden[i, c] = max(values[group, i, c] * scale[c] + shift[c], np.float32(0))
        for pooled in range(weight.shape[0]):
            amount, i = gradient[group, pooled], member[group, pooled]
            for c in range(channels):
                result[group, i, c] += amount * weight[pooled, c]
            for c in range(channels):
                weight_gradient[pooled, c] += amount * hidden[i, c]
        plain[:], moment[:] = 0, 0
        for i in range(k):
            for c in range(channels):
                amount = result[group, i, c] if hidden[i, c] > 0 else np.float32(0)
                result[group, i, c] = amount
                plain[c] += amount
                moment[c] += amount * (values[group, i, c] - mean[c])
        for c in range(channels):
            sums[0, c] += plain[c]
            sums[1, c] += moment[c]
    return weight_gradient, sums


@kernel
def through_norm(values, norm, averages, start, stop, result):
    """From the gradient behind a normalisation by batch statistics to that before it, in place.

    Args:
        averages: ``(2, C)`` of ``result`` and of ``result * (values - mean) / variance`` over all members.
        result: ``(T, k, C)``.
    """
    _, k, channels = values.shape
    mean, scale = norm[0], norm[1]
    for group in range(start, stop):
        for i in range(k):
            for c in range(channels):
                slope = (values[group, i, c] - mean[c]) * averages[1, c]
                result[group, i, c] = scale[c] * (result[group, i, c] - averages[0, c] - slope)
