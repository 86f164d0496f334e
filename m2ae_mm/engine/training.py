"""mmengine's runner for a training, checked before it starts."""
import math

from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmengine.hooks import CheckpointHook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import Runner

from m2ae_mm.checkpoint import check_start
from m2ae_mm.errors import UserError

from .config_parts import schedules_of
from .hooks import M2AECheckpointHook, M2AEFinitePredictionsHook, M2AEKeepingHook, M2AEResumeHook, M2AEStartHook
from .metric_check import choose_metrics
from .runner import M2AERunner
from .tuning import what_learns
from .work_folder import claim_work_folder

# Of its schedule that a run goes through: the published pre-training stops at 300 of 400 epochs.
_SHARE = 0.7


def training_runner(config: Config) -> Runner:
    """``Runner.from_cfg`` with one message for what mmengine would stop at later, or not at all.

    The runner keeps its results as :func:`keep_results` describes, and its
    work folder is this process's until it ends.

    Args:
        config: From :func:`prepare`; changed as by :func:`check_start` and :func:`choose_metrics`.

    Raises:
        FileNotFoundError: See :func:`check_start`.
        UserError: See there, :func:`claim_work_folder`, :func:`choose_metrics` and
            :func:`compile_forward`; if the config has no training, mixed precision is not to be had on this machine, a
            schedule ends before it begins, or no batch can be filled.
    """
    if not config.get('train_dataloader') or not config.get('train_cfg'):
        raise UserError('this config has no training (train_dataloader, train_cfg); evaluate with it: tools/test.py '
                        'CONFIG CHECKPOINT.')
    if (config.get('optim_wrapper') or {}).get('type') == 'AmpOptimWrapper' and get_device() in ('cpu', 'mps'):
        raise UserError('optim_wrapper.type=AmpOptimWrapper is float16 on GPUs, and this machine has none; bfloat16 '
                        'works on every device: optim_wrapper.type=M2AEBFloat16OptimWrapper, which --amp sets where '
                        'the config has full precision.')
    _check_schedules(config)
    chosen = choose_metrics(config)
    claim_work_folder(config)
    start = check_start(config)
    runner = M2AERunner.from_cfg(config)
    runner.prepared = True
    keep_results(runner)
    if config.get('resume'):
        runner.register_hook(M2AEResumeHook())
    elif config.get('load_from'):
        runner.register_hook(M2AEStartHook())
    for message in filter(None, [start, what_learns(runner.model), *chosen]):
        runner.logger.info(message)
    if warning := _misfit_of_schedule(config):
        runner.logger.warning(warning)
    _check_batches(runner)
    compile_forward(runner)
    return runner


def keep_results(runner: Runner) -> None:
    """Make a runner that has not started yet resume exactly, write checkpoints whole, and leave out broken steps.

    mmengine's own checkpoint hook and optimizer wrapper become ours, which do
    the same and more; what the config has of other kinds stays. The config,
    which the runner has dumped and puts into checkpoints, stays as the user
    wrote it.
    """
    for i, hook in enumerate(runner.hooks):
        if type(hook) is CheckpointHook:
            ours = runner.hooks[i] = M2AECheckpointHook.__new__(M2AECheckpointHook)
            ours.__dict__.update(hook.__dict__)
    for kind in (M2AEKeepingHook, M2AEFinitePredictionsHook):
        if not any(isinstance(hook, kind) for hook in runner.hooks):
            runner.register_hook(kind())
    wrapper = runner.optim_wrapper
    if isinstance(wrapper, dict):
        kind = wrapper.get('type', OptimWrapper)  # which is what no type means
        kind = OPTIM_WRAPPERS.get(kind) if isinstance(kind, str) else kind
        if kind is OptimWrapper:
            runner.optim_wrapper = ConfigDict(wrapper, type='M2AEOptimWrapper')


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


def _check_schedules(config: Config) -> None:
    for i, each in enumerate(schedules_of(config)):
        begin, end = each.get('begin', 0), each.get('end')
        if end is not None and end <= begin:
            warm_up = f' and param_scheduler.{i - 1}.end, the warm-up,' if i else ''
            raise UserError(f'param_scheduler.{i} ({each.get("type")}) would begin at {begin} and end at {end}. Set '
                            f'param_scheduler.{i}.begin{warm_up} to less than {end}, or a later end.')


def _misfit_of_schedule(config: Config) -> str | None:
    """A warning if a run ends long before its learning rate has come down, or continues long after."""
    last, schedules = config.train_cfg.get('max_epochs'), schedules_of(config)
    ends = {f'param_scheduler.{i}.end': each.end for i, each in enumerate(schedules)
            if each.get('by_epoch', True) and each.get('end')}
    if not last or not ends:
        return None
    place, end = max(ends.items(), key=lambda item: item[1])
    start = f'train_cfg.max_epochs={last}, but the schedule of the learning rate'
    if last < _SHARE * (end - 1):  # which --epochs may have rounded up
        return f'{start} is {end} epochs long. To shorten the run as a whole, set {place}={last}, too.'
    # Schedules without an end, such as steps at milestones, go on as well; a warm-up alone is meant to be over.
    endless = any(each.get('end') is None for each in schedules)
    warm_ups = all(str(each.get('type')).startswith(('Linear', 'Constant')) for each in schedules)
    if last <= end or endless or warm_ups:
        return None
    return (f'{start} ends with epoch {end}: later epochs keep the last rate. To make the run longer as a whole, set '
            f'{place}={last}, too.')


def _check_batches(runner: Runner) -> None:
    loader = runner.train_loop.dataloader
    if len(loader):
        return
    samples, processes = len(loader.dataset), get_world_size()
    share = math.ceil(samples / processes)
    each = f' ({samples} / {processes} processes)' if processes > 1 else ''
    raise UserError(f'there is no batch to train on: a process has {share} training samples{each}, fewer than '
                    f'train_dataloader.batch_size={loader.batch_size}, and train_dataloader.drop_last=True leaves out '
                    f'what fills no batch. Set train_dataloader.batch_size to {share} or less.')
