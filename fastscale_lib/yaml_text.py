"""YAML texts, as plans, networks and recipes are written: plain data, and each key once."""

from __future__ import annotations

from functools import cache
from typing import Any


class YamlError(ValueError):
    """A text that is no plain YAML; the message ends the sentence "this is ..."."""


def read_yaml(text: str) -> Any:
    """The dicts, lists, texts and numbers that a text describes; reading is safe, so the text can run nothing.

    Raises:
        YamlError: the text is not YAML, asks for other objects, or gives a key twice.
        ModuleNotFoundError: pyyaml is not installed.
    """
    import yaml

    try:
        return yaml.load(text, _loader())
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a ValueError is that of a date which is none
        raise YamlError(f"not plain YAML: {' '.join(str(error).split())}") from None


@cache
def _loader() -> Any:
    """PyYAML's safe one, which by itself would take the last of several values of a key without a word."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_mapping_node(self, anchor: str | None) -> Any:
            node = super().compose_mapping_node(anchor)
            lines: dict[tuple, int] = {}
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    continue
                line, name = key.start_mark.line + 1, (key.tag, key.value)
                if name in lines:
                    said = f"{key.value} is given in line {lines[name]} and again in line {line}; keep one"
                    raise yaml.YAMLError(said)
                lines[name] = line
            return node

    return Loader
