"""The commands: each module has ``parse_args()`` and ``main(args)``.

At their top they import nothing but the standard library and each other:
``m2ae_mm_start`` parses the arguments before it loads the rest of the package.
"""
import difflib
import sys

# Subcommands of `m2ae`: the modules of this package that do them, and a line for the overview.
COMMANDS = {
    'train': 'train whatever a config describes',
    'test': 'evaluate a checkpoint with the metrics of its config',
    'predict': 'boxes of the things in scans of rooms',
    'classify': 'the class of each shape',
    'segment': 'the class of each point of a scan, or the part of each point of a shape',
    'embed': 'a feature of each shape or scan',
    'reconstruct': 'what a masked autoencoder fills in',
    'fewshot': 'few-shot classification: all folds, mean and deviation',
    'convert': 'convert a published Point-M2AE or 3DETR checkpoint',
    'data': 'prepare a data set from the files of its authors, or your own labelled rooms',
    'rooms': 'compose furnished rooms with 3D boxes',
    'plot': 'learning curves, t-SNE maps of features, shapes with those most like them',
    'first_look': 'what comes with the package, in a minute and without training',
    'demo': 'pre-train, detect and evaluate on composed rooms',
    'benchmark': 'measure operators, training steps, inference and data loading',
    'info': 'versions, devices, the operators in use, and what is missing',
}


def choose() -> str:
    """Take the subcommand off ``sys.argv``, where its own arguments stay.

    Raises:
        SystemExit: After --help, or with a message for an unknown subcommand.
    """
    name = sys.argv[1] if len(sys.argv) > 1 else None
    if name in COMMANDS:
        sys.argv[:2] = [f'm2ae {name}']  # what argparse shows as the name of the program
        return name
    if name in ('-h', '--help', None):
        width = max(map(len, COMMANDS))
        lines = (f'  {command:<{width}}  {does}' for command, does in COMMANDS.items())
        print('usage: m2ae COMMAND ...\n\n' + '\n'.join(lines) + '\n\n`m2ae COMMAND --help` lists its options.')
        sys.exit(0 if name else 2)
    near = difflib.get_close_matches(name, COMMANDS, 1)
    sys.exit(f'm2ae: there is no command {name!r}' + (f'; did you mean {near[0]!r}?' if near else
                                                      f', only {", ".join(COMMANDS)}.'))
