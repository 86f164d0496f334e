"""The operators at the sizes of the published models: the path taken by default, and the PyTorch reference.

All run in float32. Their FLOPs are those of all pairs of points; the trees of
the CPU paths look at fewer, so that for them only the bytes are a true floor.
"""
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .floors import size_of
from .inputs import composed_rooms, room_clouds, shape_clouds
from .work import Floor, Setting, Work

SHAPE_POINTS, SCENE_POINTS = 2048, 40000
# Three differences, three squares, two sums.
_PAIR = 8
_INDEX = 8
# Centres of scale 2 that back-projection masks, of 256, and what is predicted and true at each.
MASKED, PREDICTED, TRUE = 161, 16, 8


def cloud(setting: Setting, count: int, scene: bool) -> Tensor:
    """``(batch, count, 3)``: a shape or room, reduced by furthest point sampling."""
    from m2ae_mm.ops import furthest_point_sample, gather
    if scene:
        points = room_clouds(composed_rooms(setting.batch, SCENE_POINTS, setting.seed), SCENE_POINTS)
    else:
        points = shape_clouds(setting.batch, SHAPE_POINTS, setting.seed)
    points = points.to(setting.device)
    return points if count == points.shape[1] else gather(points, furthest_point_sample(points, count))


def centers_of(points: Tensor, count: int) -> Tensor:
    """``(B, count, 3)`` by furthest point sampling."""
    from m2ae_mm.ops import furthest_point_sample, gather
    return gather(points, furthest_point_sample(points, count))


def _operator(function: Callable[[], Any], reference: bool, batch: int, floor: Floor) -> Work:
    from m2ae_mm.ops import use_reference

    def call_reference() -> Any:
        with use_reference():
            return function()

    return Work(call_reference if reference else function, batch, floor)


def _search(function: Callable[[], Any], reference: bool, points: Tensor, queries: int, k: int) -> Work:
    """A search that reads points and queries and writes ``k`` indices a query."""
    batch, count, _ = points.shape
    moved = size_of([points]) * (1 + queries / count) + batch * queries * k * _INDEX
    return _operator(function, reference, batch, Floor(_PAIR * batch * queries * count, moved))


def fps(count: int, picks: int, scene: bool, reference: bool, setting: Setting) -> Work:
    """``picks`` of ``count`` points."""
    from m2ae_mm.ops import furthest_point_sample
    points = cloud(setting, count, scene)
    floor = Floor(_PAIR * setting.batch * count * (picks - 1), size_of([points]) + setting.batch * picks * _INDEX)
    return _operator(lambda: furthest_point_sample(points, picks), reference, setting.batch, floor)


def knn(count: int, queries: int, k: int, scene: bool, reference: bool, setting: Setting) -> Work:
    """``k`` nearest of ``count`` points for each of ``queries`` centres."""
    from m2ae_mm.ops import knn as search
    points = cloud(setting, count, scene)
    centers = centers_of(points, queries)
    return _search(lambda: search(centers, points, k), reference, points, queries, k)


def ball_query(count: int, queries: int, radius: float, k: int, reference: bool, setting: Setting) -> Work:
    """Up to ``k`` of ``count`` points of rooms within ``radius`` metres of each of ``queries`` centres."""
    from m2ae_mm.ops import ball_query as search
    points = cloud(setting, count, scene=True)
    centers = centers_of(points, queries)
    return _search(lambda: search(centers, points, radius, k), reference, points, queries, k)


def interpolation(coarse: int, fine: int, channels: int, scene: bool, reference: bool, setting: Setting) -> Work:
    """Values of ``coarse`` points at ``fine`` ones, forward and backward."""
    from m2ae_mm.ops import interpolate
    queries = cloud(setting, fine, scene)
    points = centers_of(queries, coarse)
    values = torch.randn(setting.batch, coarse, channels, device=setting.device, requires_grad=True)
    gradient = torch.randn(setting.batch, fine, channels, device=setting.device)
    sums = 2 * 3 * gradient.numel()
    floor = Floor(_PAIR * setting.batch * fine * coarse + 2 * sums,
                  size_of([queries, points, values, values, gradient, gradient]))
    call = partial(_forward_and_backward, lambda: interpolate(queries, points, values), values, gradient)
    return _operator(call, reference, setting.batch, floor)


def chamfer(reference: bool, setting: Setting) -> Work:
    """Distances of the masked groups of pre-training, forward and backward."""
    from m2ae_mm.ops import chamfer_distance
    groups = setting.batch * MASKED
    predicted = torch.randn(groups, PREDICTED, 3, device=setting.device, requires_grad=True)
    target = torch.randn(groups, TRUE, 3, device=setting.device)
    gradient = torch.ones(groups, device=setting.device)
    floor = Floor(_PAIR * groups * PREDICTED * TRUE, size_of([predicted, predicted, target, gradient, gradient]))
    call = partial(_forward_and_backward, lambda: chamfer_distance(predicted, target), predicted, gradient)
    return _operator(call, reference, setting.batch, floor)


def _forward_and_backward(function: Callable[[], Tensor], wanted: Tensor, gradient: Tensor) -> Tensor:
    """The gradient of ``wanted``, like it."""
    return torch.autograd.grad(function(), wanted, gradient)[0]
