"""The documentation: `nox -s docs`, or `python -m sphinx -W --keep-going -b html docs docs/_build/html`.

Nothing is fetched: it builds without a network. Code is executed while it builds, and an error ends the build.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# A page of something that is gone would be one that nothing leads to.
shutil.rmtree(Path(__file__).parent / "reference" / "api", ignore_errors=True)

# SciPy asks once, when it is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import agnograd  # noqa: E402

project = "agnograd"
author = copyright = "The agnograd developers"
version = release = agnograd.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = [
    "_build",
    "examples",
    # sphinx-gallery writes these beside its pages, and myst-nb would take them for pages.
    *(f"gallery/**/*.{ending}" for ending in ("ipynb", "py", "json", "zip", "md5")),
    *(f"gallery/*.{ending}" for ending in ("ipynb", "py", "json", "zip", "md5")),
]
# Pages link to files of the repository, too, which are no part of the site: tests/docs/test_links.py looks after links.
suppress_warnings = ["myst.xref_missing"]

# -- reference ---------------------------------------------------------------------------------------------------------

default_role = "py:obj"
autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say what parameters are
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
templates_path = ["_templates"]

# -- pages that are executed -------------------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / ".jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 0,
    "remove_config_comments": True,
    "write_computation_times": False,
    "within_subsection_order": "FileNameSortKey",
    "matplotlib_animations": False,
}

# -- pages -------------------------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "agnograd"
html_static_path = ["_static"]
html_css_files = ["agnograd.css"]
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "logo": {"text": "agnograd"},
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "use_edit_page_button": False,
}
html_sidebars = {"index": []}
