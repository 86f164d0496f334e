"""Random numbers that depend on seed, epoch and step alone, so that a resumed training draws those of a whole one.

Every step starts its generators anew from the seed and its number, every sample from the seed, the epoch and its
place in it. Nothing of them has to be stored, nothing that draws in between (validation, pictures, a linear probe)
moves them, and it makes no difference how many processes load the data, or whether they were started anew.
"""
import hashlib
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info


def derive(*numbers: int) -> int:
    """A seed of 63 bits that depends on all numbers and their order."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little') >> 1


def seed_generators(seed: int) -> None:
    """Start the generators of Python, NumPy and PyTorch on the CPU from a seed."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)


def seed_step(*numbers: int) -> None:
    """Start all generators, those of the accelerator in use, too, from :func:`derive`."""
    seed = derive(*numbers)
    seed_generators(seed)
    # torch.manual_seed would note for later, with a stack trace, what an accelerator that nobody uses is to be told.
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(seed)
    elif torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


class Draw(int):
    """An index into a data set, with the seed for what is random about its sample."""

    seed: int

    def __new__(cls, index: int, seed: int) -> 'Draw':
        draw = super().__new__(cls, index)
        draw.seed = seed
        return draw

    def __reduce__(self) -> tuple:
        return Draw, (int(self), self.seed)


@DATA_SAMPLERS.register_module()
class M2AEResumableSampler(Sampler):
    """Another sampler's order, with a seed for every sample, and from a later place on after a resume.

    Args:
        dataset: As for every sampler.
        sampler: Config of the other one.
        seed: For the other one.

    Attributes:
        base: Seed of the run.
        skipped: Samples to leave out of the next pass.
    """

    def __init__(self, dataset: Dataset, sampler: dict, seed: int | None = None) -> None:
        self.sampler = DATA_SAMPLERS.build(sampler, default_args=dict(dataset=dataset, seed=seed))
        self.base, self.skipped, self._epoch = 0, 0, 0

    def __iter__(self) -> Iterator[Draw]:
        skipped, self.skipped = self.skipped, 0
        for place, index in enumerate(self.sampler):
            if place >= skipped:
                yield Draw(index, derive(self.base, 0, self._epoch, place))

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        if name == 'sampler':  # not there yet
            raise AttributeError(name)
        return getattr(self.sampler, name)

    def set_epoch(self, epoch: int) -> None:
        """See mmengine; samplers without epochs do not take it."""
        self._epoch = epoch
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)


class SeededItems:
    """What a loader takes for ``dataset.__getitems__``: samples with random numbers of their own."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __call__(self, draws: Sequence[int]) -> list:
        """The samples of a batch."""
        if get_worker_info() is not None:
            return [self._sample(draw) for draw in draws]
        # The training's own random numbers are not those of its data.
        states = random.getstate(), np.random.get_state(), torch.get_rng_state()
        try:
            return [self._sample(draw) for draw in draws]
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])

    def _sample(self, draw: int) -> Any:
        if isinstance(draw, Draw):
            seed_generators(draw.seed)
        return self.dataset[int(draw)]


def seed_items(loader: DataLoader) -> None:
    """Have a loader with :class:`M2AEResumableSampler` draw every sample's random numbers from its seed."""
    if isinstance(_sampler_of(loader), M2AEResumableSampler) and not hasattr(loader.dataset, '__getitems__'):
        loader.dataset.__getitems__ = SeededItems(loader.dataset)


def resumable_sampler(loader: DataLoader) -> M2AEResumableSampler | None:
    """The sampler of a loader, if it is one that can begin in the middle of an epoch."""
    sampler = _sampler_of(loader)
    return sampler if isinstance(sampler, M2AEResumableSampler) else None


def _sampler_of(loader: DataLoader) -> Any:
    batches = loader.batch_sampler
    return getattr(batches, 'sampler', None) if batches is not None else loader.sampler
