"""What ``compile=True`` in a config does: the model through ``torch.compile``."""
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from m2ae_mm.errors import UserError


def compile_forward(runner: Runner) -> None:
    """Compile the forward pass of the runner's model if its config says ``compile=True`` or ``compile=dict(...)``.

    mmengine would compile whole steps of training and validation. PyTorch
    cannot trace these: mmdet3d's preprocessor copies metadata that are NumPy
    arrays.

    Args:
        runner: A runner that has not started yet; ``compile`` is taken out of
            its config. A dictionary holds options of ``torch.compile``.

    Raises:
        UserError: For anything but a boolean or a dictionary.
    """
    options = runner.cfg.pop('compile', None)
    if options is None or options is False:
        return
    if options is not True and not isinstance(options, dict):
        raise UserError(f'compile must be True, False or options of torch.compile, got {options!r}.')
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    model.compile(**({} if options is True else options))
    runner.logger.info('The forward pass goes through torch.compile: the first iterations take minutes, and instead of '
                       "the project's fused layers, which are faster, its reference layers are compiled.")
