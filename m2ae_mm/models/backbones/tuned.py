"""Which part of an encoder learns (all, nothing or low-rank matrices), and how deep each layer is."""
import contextlib
import re
from collections.abc import Sequence

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from m2ae_mm.errors import UserError

from ..layers.initialization import PretrainableModule
from ..layers.low_rank import add_low_rank, low_rank_layers

_LAYER = re.compile(r'(embeddings|stages|norms)\.(\d+)\.(?:blocks\.)?(\d+)?')


class TunedEncoder(PretrainableModule):
    """An encoder of ``embeddings``, ``stages`` and perhaps ``norms``, one of each per scale.

    A frozen encoder computes as in evaluation in any mode: no stochastic depth,
    no dropout, batch norms with running averages that stay as they are, and
    nothing is kept for a backward pass. With low-rank matrices only these
    learn, and batch norms are in evaluation, too.

    Subclasses call :meth:`choose_what_learns` when they are built, and run :meth:`encode` within :meth:`gradients`.
    """

    frozen = False
    lora: dict | None = None

    def choose_what_learns(self, frozen: bool, lora: dict | None) -> None:
        """Freeze the whole encoder, or all but the low-rank matrices that it adds to its layers.

        Args:
            frozen: Whether nothing learns.
            lora: Options of :func:`add_low_rank`; ``dict()`` has its defaults, None adds nothing.
        """
        self.frozen, self.lora = frozen, lora
        if frozen or lora is not None:
            self.requires_grad_(False)
        if lora is not None:
            _check_options(lora)
            add_low_rank(self, **{name: value for name, value in lora.items() if name != '_scope_'})
            for layer in low_rank_layers(self):
                layer.parametrizations.weight[0].requires_grad_(not frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> 'TunedEncoder':
        """See PyTorch; frozen parts stay in evaluation."""
        super().train(mode and not self.frozen)
        if self.lora is not None:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def gradients(self) -> contextlib.AbstractContextManager:
        """The context of a forward pass: frozen encoders keep nothing for a backward pass."""
        return torch.no_grad() if self.frozen else contextlib.nullcontext()

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Depth of a parameter between input and output, as of mmpretrain's backbones.

        The layers of scale 1 come first, those of the coarsest scale last. Each
        scale has a level for its embedding and its positional embedding, then
        one for each block. The norm behind a scale is on the level of the
        heads, which alone read its output.

        Args:
            param_name: Name in the model.
            prefix: Of the encoder's parameters; all others belong to necks and heads.

        Returns:
            The depth from 0 on, and the number of levels, of which heads are the last.
        """
        depths = [len(getattr(stage, 'blocks', stage)) for stage in self.stages]
        levels = sum(depths) + len(depths) + 1
        found = _LAYER.match(param_name[len(prefix):]) if param_name.startswith(prefix) else None
        if param_name == f'{prefix}class_token':
            return self._entry(depths, len(depths) - 1), levels
        if found is None or found[1] == 'norms':
            return levels - 1, levels
        entry = self._entry(depths, int(found[2]))
        is_block = found[1] == 'stages' and found[3] is not None
        return entry + (int(found[3]) + 1 if is_block else 0), levels

    @staticmethod
    def _entry(depths: Sequence[int], scale: int) -> int:
        return sum(depths[:scale]) + scale


def _check_options(lora: dict) -> None:
    known = ('rank', 'alpha', 'drop_rate', 'targets')
    if not isinstance(lora, dict) or lora.keys() - {*known, '_scope_'}:
        raise UserError(f'lora must be dict(...) of {", ".join(known)}, got {lora!r}.')
