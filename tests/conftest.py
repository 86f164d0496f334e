import torch

import m2ae_mm  # noqa: F401  registers everything before any test builds a config

# Small tensors: threads cost more than they bring, and two test runs side by side would fight for cores.
torch.set_num_threads(1)
