import torch

import m2ae_mm  # noqa: F401  registers everything before any test builds a config

torch.set_num_threads(2)
