"""Errors of constructors, mostly of others, say what was being built with which options."""
import functools

from mmengine.registry import Registry

from m2ae_mm.errors import note


def name_what_is_built() -> None:
    """Have every registry of this process note what it was building when an error came up. For our tools."""
    build = Registry.build
    if hasattr(build, '__wrapped__'):
        return

    @functools.wraps(build)
    def noted(registry: Registry, cfg, *args, **kwargs):
        try:
            return build(registry, cfg, *args, **kwargs)
        except Exception as error:
            note(error, 'building', dict(cfg) if isinstance(cfg, dict) else cfg)  # the innermost stays
            raise

    Registry.build = noted
