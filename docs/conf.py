"""The site: ``make docs`` builds it into ``build/docs``."""
import json
import sys
from pathlib import Path

from docutils.nodes import document as Document
from myst_parser.sphinx_ import Parser
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import m2ae_mm  # noqa: E402  (before mmdet3d, whose operators it provides)

project = 'm2ae_mm'
author = 'the maintainers of m2ae_mm'
copyright = f'2026, {author}'  # noqa: A001
version = release = m2ae_mm.__version__

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx.ext.viewcode', 'sphinx_copybutton']
exclude_patterns = ['measured']

smartquotes = False  # they would make a dash of the two hyphens of options

html_theme = 'furo'
html_title = f'm2ae_mm {version}'
html_show_sourcelink = False

myst_enable_extensions = ['colon_fence']
myst_heading_anchors = 3  # links such as data.md#your-own-shapes

# Google style: Args, Returns, Raises.
napoleon_numpy_docstring = False
napoleon_use_rtype = False
autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100
copybutton_prompt_text = '$ '


class NotebookParser(Parser):
    """A notebook as a page: its text, and its code in blocks."""

    supported = ('notebook', )

    def parse(self, inputstring: str, document: Document) -> None:
        cells = [(cell['cell_type'], ''.join(cell['source'])) for cell in json.loads(inputstring)['cells']]
        parts = (f'```python\n{text}\n```' if kind == 'code' else text for kind, text in cells)
        super().parse('\n\n'.join(parts), document)


def setup(app: Sphinx) -> None:
    app.add_source_suffix('.ipynb', 'notebook')
    app.add_source_parser(NotebookParser)
