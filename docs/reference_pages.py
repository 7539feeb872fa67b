"""Write the reference of each package from its stub: one heading and one docstring per public name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "fastscale_lib"


def names(package: Path) -> Iterator[tuple[str, str]]:
    """Each public name of a package, with the full name of the module that defines it."""
    own = package.relative_to(PACKAGE.parent).parts
    for node in ast.parse((package / "__init__.pyi").read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            above = own[: len(own) + 1 - node.level]
            yield from ((alias.name, ".".join([*above, node.module])) for alias in node.names)


def on_page_markdown(markdown: str, page, **_) -> str:
    """Follow the text of a page `reference/<package>.md` with that package's names (called by mkdocs)."""
    folder, _, name = page.file.src_uri.removesuffix(".md").partition("/")
    if folder != "reference" or name == "index":
        return markdown
    at_the_top = {each for each, _ in names(PACKAGE)}
    public = sorted(names(PACKAGE / name), key=lambda pair: (pair[0] not in at_the_top, pair[0].lower()))
    constants = ", ".join(f"`fs.{name}.{each}`" for each, _ in public if each.isupper())
    own = [pair for pair in public if pair[1].startswith(f"{PACKAGE.name}.{name}.")]
    others = ", ".join(f"`fs.{name}.{each}`" for each, module in public if (each, module) not in own)
    parts = [markdown, f"Constants: {constants}." if constants else ""]
    parts.append(f"The same as in the package that defines them: {others}." if others else "")
    for each, module in own:  # a name has one entry in the reference
        if each.isupper():
            continue
        shown = f"fs.{each}" if each in at_the_top else f"fs.{name}.{each}"
        options = {"heading": shown, "toc_label": shown, "show_root_heading": True, "show_root_toc_entry": True}
        lines = [f"::: {module}.{each}", "    options:", *(f"      {key}: {value}" for key, value in options.items())]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
