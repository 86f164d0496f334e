"""Options and configs as the tools read them, for scripts of yours beside them."""
from m2ae_mm.cli.options import base_parser, load_config

__all__ = ['base_parser', 'load_config']
