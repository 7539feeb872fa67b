"""Docstrings of public functions begin with a short imperative sentence and name every parameter."""

import inspect

import pytest

import fastscale_lib as fs

PACKAGES = (fs.architectures, fs.scaling, fs.models)
FUNCTIONS = [
    function
    for package in PACKAGES
    for function in (getattr(package, name) for name in package.__all__)
    if inspect.isfunction(function)
]
NO_VERBS = {"a", "an", "the", "how", "what", "whether", "where", "each", "every", "one", "all"}


def by_name(function) -> str:
    return f"{function.__module__.split('.')[1]}.{function.__name__}"


def test_all_packages_have_functions_to_judge():
    assert {function.__module__.split(".")[1] for function in FUNCTIONS} == {"architectures", "scaling", "models"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=by_name)
def test_first_line_is_a_short_imperative_sentence(function):
    first = inspect.getdoc(function).splitlines()[0]
    verb = first.split()[0].lower()
    assert len(first) <= 90
    assert first.endswith(".")
    assert verb.isalpha()
    assert verb not in NO_VERBS
    assert not verb.endswith("s")  # neither "returns" nor a plural noun


@pytest.mark.parametrize("function", FUNCTIONS, ids=by_name)
def test_arguments_are_named_in_the_docstring(function):
    text = inspect.getdoc(function)
    parameters = inspect.signature(function).parameters
    missing = [name for name in parameters if f"\n    {name}: " not in text]
    assert not missing
    assert "left out:" not in text
