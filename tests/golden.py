"""Reference vectors of the published models: inputs, weights, outputs."""
import importlib.util
import json
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent / 'data' / 'golden'
TOLERANCE = dict(rtol=1e-4, atol=1e-5)


def load_vector(name):
    """Arrays of one reference file as a dictionary."""
    with np.load(FOLDER / f'{name}.npz', allow_pickle=False) as file:
        return dict(file)


def published_weights(vector):
    """The published state dict that a reference file was computed with."""
    spec = importlib.util.spec_from_file_location('golden_recipe', FOLDER / 'recipe.py')
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    weights = recipe.state_dict(int(vector['seed']), json.loads(str(vector['shapes'])))
    for key, factor in json.loads(str(vector.get('scales', '{}'))).items():
        weights[key] = weights[key] * np.float32(factor)
    for key in json.loads(str(vector.get('constant_keys', '[]'))):
        weights[key] = vector['constant/' + key.rsplit('.', 1)[1]]
    return {key: torch.from_numpy(np.asarray(value)) for key, value in weights.items()}


def tensor(vector, name):
    return torch.from_numpy(vector[name])


def assert_close(ours, published):
    """The tolerance of the reference vectors for V-DETR and I2P-MAE."""
    bound = 1e-4 * published.abs() + 1e-5 * published.abs().max().clamp(min=1)
    excess = ((ours - published).abs() - bound).max()
    assert ours.shape == published.shape and excess <= 0, f'{excess:.3g} above the tolerance'


def encoder_of(config, **options):
    """Our encoder's config, of the sizes in a reference file's."""
    return dict(type='PointM2AEEncoder', num_centers=config['num_groups'], num_neighbors=config['group_sizes'],
                embed_dims=config['encoder_dims'], depths=config['encoder_depths'], num_heads=config['num_heads'],
                **options)
