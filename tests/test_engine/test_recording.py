import torch

from m2ae_mm.engine.recording import RowSizes


def test_row_sizes_grow_with_a_margin_and_stay():
    def masks(visible):
        mask = torch.ones(4, 2048, dtype=torch.bool)
        mask.view(-1)[:visible] = False
        return [mask]

    sizes = RowSizes()
    assert sizes.fit(masks(1000)) == [1280] and sizes.grown  # 1030, rounded up to a multiple of 256
    assert sizes.fit(masks(1280)) == [1280] and not sizes.grown
    assert sizes.fit(masks(1281)) == [1536] and sizes.grown
    assert sizes.fit(masks(500)) == [1536] and not sizes.grown
    assert sizes.fit(masks(8192)) == [8192]  # there are no more
    assert RowSizes().fit(masks(500)) == [768]


def test_row_sizes_of_every_scale_fit_all_batches():
    def masks(*visible):
        return [torch.arange(2048).view(2, 1024) >= count for count in visible]

    sizes = RowSizes()
    assert sizes.fit(masks(1000, 10)) == [1280, 256]
    assert sizes.fit(masks(10, 1000)) == [1280, 1280] and sizes.grown
    assert sizes.fit(masks(1000, 1000)) == [1280, 1280] and not sizes.grown
