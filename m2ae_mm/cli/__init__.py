"""The commands: each module has ``parse_args()`` and ``main(args)``.

At their top they import nothing but the standard library and each other:
``m2ae_mm_start`` parses the arguments before it loads the rest of the package.
"""
