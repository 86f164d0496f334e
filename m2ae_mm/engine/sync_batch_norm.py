"""BatchNorm over all processes on machines without CUDA."""
import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from m2ae_mm.errors import UserError


class SumOverProcesses(torch.autograd.Function):
    """The same sum in every process; what flows back is the sum of what the processes' losses ask for."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        """Tensors of the same shape in every process."""
        x = x.clone()
        distributed.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        """Sums the gradient as well."""
        gradient = gradient.contiguous().clone()
        distributed.all_reduce(gradient)
        return gradient


class SyncBatchNormCPU(_BatchNorm):
    """BatchNorm whose training statistics are those of all processes' rows.

    PyTorch's ``SyncBatchNorm`` refuses tensors on the CPU. Rows count the
    same wherever they are: processes may have different numbers of them, as
    they do where only visible tokens are normalised, or none at all. Every
    process has to call the module equally often. Options, parameters and keys
    of the state are those of ``nn.BatchNorm1d``; in evaluation mode and in a
    single process it computes what that does.
    """

    @classmethod
    def convert(cls, module: nn.Module) -> nn.Module:
        """Replace every BatchNorm in ``module``; it is changed and returned."""
        if isinstance(module, _BatchNorm):
            converted = cls.__new__(cls)
            # The very same parameters, buffers, hooks and mode.
            converted.__dict__.update(module.__dict__)
            return converted
        for name, child in module.named_children():
            module.add_module(name, cls.convert(child))
        return module

    def forward(self, x: Tensor) -> Tensor:
        """``(T, C)`` or ``(T, C, ...)`` to the same shape.

        Raises:
            UserError: If all processes together have only one row, which has no variance.
        """
        if not (self.training and distributed.is_initialized() and distributed.get_world_size() > 1):
            return super().forward(x)
        axes, shape = [0, *range(2, x.dim())], [1, -1] + [1] * (x.dim() - 2)
        rows = x.to(torch.promote_types(x.dtype, torch.float32))
        total = SumOverProcesses.apply(torch.cat([rows.sum(axes), rows.new_tensor([x.numel() // x.shape[1]])]))
        if total[-1] < 2:
            raise UserError(f'BatchNorm needs more than one row in training, all processes together have '
                            f'{int(total[-1])}; use larger batches.')
        mean, count = total[:-1] / total[-1], total[-1]
        # Deviations in a second pass: E[x^2] - E[x]^2 would cancel in float32.
        deviation = rows - mean.view(shape)
        variance = SumOverProcesses.apply(deviation.square().sum(axes)) / count
        if self.track_running_stats:
            self._track(mean.detach(), variance.detach() * count / (count - 1))
        result = deviation * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            result = result * self.weight.view(shape) + self.bias.view(shape)
        return result.to(x.dtype)

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running ``(C,)`` statistics towards the batch's, the variance without bias."""
        self.num_batches_tracked.add_(1)
        rate = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(variance, rate)

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise UserError(f'BatchNorm needs rows and channels (T, C, ...), got {tuple(x.shape)}.')
