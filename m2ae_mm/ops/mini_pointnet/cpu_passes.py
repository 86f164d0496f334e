"""Passes over groups of members between the matrix products of a mini-PointNet.

Arrays: ``values`` (T, k, C) are the input of a normalisation, ``norm`` (3, C)
its mean, scale and shift (``relu(values * scale + shift)`` follows).
``gradient`` and ``member`` (T, P) are the gradient of a max-pool and the
members it chose, ``weight`` (P, C) is that of the linear layer before it. Only
chosen members have a gradient: 1 of k for each channel. ``sums`` over all
members are float64. Each kernel takes groups ``start`` to ``stop`` and returns
their sums.
"""
import numpy as np

from ..jit import kernel, reordering_kernel


@kernel
def add_and_sum(values, shared, start, stop):
    """Add ``shared`` (T, C) to every member, in place; ``(2, C)`` sums and sums of squares of the result."""
    _, k, channels = values.shape
    sums = np.zeros((2, channels), np.float64)
    total, deviations = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for group in range(start, stop):
        total[:], deviations[:] = 0, 0
        for i in range(k):
            for c in range(channels):
                value = values[group, i, c] + shared[group, c]
                values[group, i, c] = value
                total[c] += value
        # Squares of what differs from the group's mean keep float32 exact where the mean is far from 0.
        for i in range(k):
            for c in range(channels):
                difference = values[group, i, c] - total[c] / np.float32(k)
                deviations[c] += difference * difference
        for c in range(channels):
            sums[0, c] += total[c]
            sums[1, c] += deviations[c] + np.float64(total[c]) * total[c] / k
    return sums


@kernel
def _sort_by_member(member, order, ends):
    """Write channels (P,) to ``order`` by their member; those of member ``i`` end before ``ends[i]`` (k,)."""
    ends[:] = 0
    for pooled in range(len(member)):
        ends[member[pooled]] += 1
    for i in range(1, len(ends)):
        ends[i] += ends[i - 1]
    for pooled in range(len(member) - 1, -1, -1):
        i = member[pooled]
        ends[i] -= 1
        order[ends[i]] = pooled
    for i in range(len(ends) - 1):
        ends[i] = ends[i + 1]
    ends[-1] = len(member)


@reordering_kernel
def _accumulate(gradient, weight, channels, row):
    """Add to ``row`` (C,) the gradient of a member from ``channels`` (n,) of the max-pool."""
    done = 0
    while done + 4 <= len(channels):  # four at once: the row is read and written less often
        a, b, c, d = channels[done], channels[done + 1], channels[done + 2], channels[done + 3]
        at_a, at_b, at_c, at_d = gradient[a], gradient[b], gradient[c], gradient[d]
        for n in range(len(row)):
            row[n] += at_a * weight[a, n] + at_b * weight[b, n] + at_c * weight[c, n] + at_d * weight[d, n]
        done += 4
    for pooled in channels[done:]:
        amount = gradient[pooled]
        for n in range(len(row)):
            row[n] += amount * weight[pooled, n]


@kernel
def max_pool_backward(gradient, member, weight, values, norm, start, stop, result):
    """Backward pass of ReLU, linear layer and max-pool.

    Args:
        result: ``(T, k, C)`` gradient that other paths give to the output of
            the ReLU, overwritten with the gradient of its input. ``(0, k, C)``
            if there are no others; the gradient is then not kept.

    Returns:
        Gradient ``(P, C)`` of ``weight``; ``(2, C)`` sums of the result and of it times ``values - mean``.
    """
    _, k, channels = values.shape
    weight_gradient = np.zeros(weight.shape, np.float32)
    sums = np.zeros((2, channels), np.float64)
    order, ends = np.empty(gradient.shape[1], np.int64), np.empty(k, np.int64)
    row, hidden = np.empty(channels, np.float32), np.empty(channels, np.float32)
    plain, moment = np.empty(channels, np.float32), np.empty(channels, np.float32)
    mean, scale, shift = norm[0], norm[1], norm[2]
    others = len(result) > 0
    for group in range(start, stop):
        _sort_by_member(member[group], order, ends)
        plain[:], moment[:], first = 0, 0, 0
        for i in range(k):
            chosen = order[first:ends[i]]
            first = ends[i]
            for c in range(channels):
                row[c] = result[group, i, c] if others else np.float32(0)
            _accumulate(gradient[group], weight, chosen, row)
            for c in range(channels):
                value = values[group, i, c] * scale[c] + shift[c]
                passes = value > 0
                hidden[c] = value if passes else np.float32(0)
                row[c] = row[c] if passes else np.float32(0)
                plain[c] += row[c]
                moment[c] += row[c] * (values[group, i, c] - mean[c])
            for pooled in chosen:
                amount = gradient[group, pooled]
                for c in range(channels):
                    weight_gradient[pooled, c] += amount * hidden[c]
            if others:
                for c in range(channels):
                    result[group, i, c] = row[c]
        for c in range(channels):
            sums[0, c] += plain[c]
            sums[1, c] += moment[c]
    return weight_gradient, sums


@kernel
def max_pool_norm_backward(gradient, member, weight, values, norm, averages, start, stop, result, total):
    """Backward pass of a normalisation by batch statistics, ReLU, linear layer and max-pool.

    Args:
        averages: See :func:`norm_backward`.
        result: ``(T, k, C)`` gradient before the normalisation, written.
        total: ``(T, C)`` its sum over members, written.
    """
    _, k, channels = values.shape
    order, ends = np.empty(gradient.shape[1], np.int64), np.empty(k, np.int64)
    row = np.empty(channels, np.float32)
    mean, scale, shift = norm[0], norm[1], norm[2]
    for group in range(start, stop):
        _sort_by_member(member[group], order, ends)
        total[group] = 0
        first = 0
        for i in range(k):
            row[:] = 0
            _accumulate(gradient[group], weight, order[first:ends[i]], row)
            first = ends[i]
            for c in range(channels):
                value = values[group, i, c]
                amount = row[c] if value * scale[c] + shift[c] > 0 else np.float32(0)
                amount = scale[c] * (amount - averages[0, c] - (value - mean[c]) * averages[1, c])
                result[group, i, c] = amount
                total[group, c] += amount


@kernel
def norm_backward(values, norm, averages, start, stop, result):
    """Backward pass of a normalisation by batch statistics, in place.

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
