"""How a command runs and ends."""
import gc
import logging
import os
import sys

from ..errors import report
from .tuning import tune_process


def _interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: mmengine makes it a SyntaxError while it writes a config."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def run(main) -> None:
    """Run ``main()``; whatever it raises ends in one message and exit code 1, see :func:`m2ae_mm.errors.report`.

    ``M2AE_TRACEBACK=1`` shows the traceback, too. Loading processes end and
    process groups are left once ``main()``, and with it the runner, is done.
    """
    tune_process()
    logging.raiseExceptions = False  # on a full disk, do not report every line of the log
    code = 0
    try:
        main()
    except SystemExit as stop:  # of a training that was told to end
        code = stop.code
    except (KeyboardInterrupt, Exception) as error:
        if _interrupted(error):
            print('\ninterrupted. A training resumes from its latest checkpoint with --resume.', file=sys.stderr)
            sys.exit(130)
        print(report(error, show=os.environ.get('M2AE_TRACEBACK') == '1'), file=sys.stderr)
        code = 1
    # The runner is in a reference cycle. At the interpreter's end, PyTorch before 2.13 waits five seconds for each
    # loading process of a loader that pins memory, unless that loader is gone by then.
    gc.collect()
    if code == 1:
        sys.exit(1)
    engine = sys.modules.get('m2ae_mm.engine')  # not there if the tool starts no processes
    if engine is not None:
        engine.end_processes()
    if code:
        sys.exit(code)
