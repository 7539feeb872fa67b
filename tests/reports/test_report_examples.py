"""What README.md and notebooks/README.md tell of reports is accepted, and the examples for CI do what they say."""

import re
import shlex
from pathlib import Path

import papermill
import pytest
import yaml
from helpers.notebooks import NOTEBOOKS, REPO, named, outputs, shell, stored

from fastscale_lib import cli
from fastscale_lib.analysis.claims import MIME
from fastscale_lib.reports.command import given_parameters
from fastscale_lib.reports.selection import tasks

TOLD = (REPO / "notebooks" / "README.md").read_text("utf-8")
BOTH = TOLD + (REPO / "README.md").read_text("utf-8")
EXAMPLES = REPO / "docs" / "examples"
GITHUB = yaml.safe_load((EXAMPLES / "github.yml").read_text("utf-8"))
GITLAB = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text("utf-8"))["report"]
STORES = ("gpu.jsonl", "gpu_16gf.jsonl")


def lines(command: str) -> list[list[str]]:
    """The words of each line that gives this command."""
    found = re.findall(rf"^{command} .+$", BOTH, re.MULTILINE)
    assert found
    return [shlex.split(line, comments=True) for line in found]


def test_each_notebook_is_told_of():
    assert re.findall(r"^\| `(\w+)` \|", TOLD, re.MULTILINE) == [path.stem for path in NOTEBOOKS]


@pytest.mark.parametrize("words", lines("fastscale report"), ids=" ".join)
def test_the_lines_of_the_command_ask_for_what_there_is(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in STORES:  # which the lines before it write
        (tmp_path / name).touch()
    asked = cli._parser().parse_args([word for word in words[1:] if word != "--help"])
    parameters, grid = given_parameters(asked.p, asked.grid)
    todo = tasks(REPO / "notebooks", asked.only, asked.profile or "fast", parameters, grid)
    assert len(todo) == (len(NOTEBOOKS) if not asked.only else 2 if grid else 1)
    for name in parameters:
        assert any(name in task.parameters for task in todo)


def test_the_sweeps_told_of_name_plans_and_stores_that_there_are():
    sweeps = [cli._parser().parse_args(words[1:]) for words in lines("fastscale sweep") if words[2].startswith("data/")]
    assert all((REPO / asked.plan).is_file() for asked in sweeps)
    assert set(STORES) <= {asked.store for asked in sweeps}
    [ceilings] = [cli._parser().parse_args(words[1:]) for words in lines("fastscale ceilings")]
    assert (REPO / ceilings.store).parent.is_dir()
    [words] = [words for words in lines("fastscale report") if "measure=true" in words]
    assert f"stores=[{','.join(STORES)}]" in words
    for stem, name in {"06": "batch", "08": "batch", "08_": "measure"}.items():  # as the text below it says
        [task] = tasks(REPO / "notebooks", [stem], "paper", {}, {})
        assert name in task.parameters
    judging = [task for task in tasks(REPO / "notebooks", [], "paper", {}, {}) if "stores" in task.parameters]
    assert [task.name[:2] for task in judging] == ["03", "04", "05", "06", "07", "08", "11"]


def test_no_profile_measures_as_it_is_told():
    assert "No profile measures" in TOLD
    for profile in ("fast", "paper"):
        assert not any(task.measures for task in tasks(REPO / "notebooks", [], profile, {}, {}))


@pytest.mark.parametrize("words", lines("papermill"), ids=lambda words: words[1])
def test_the_lines_of_papermill_name_parameters_that_the_notebook_takes(words):
    takes = papermill.inspect_notebook(str(REPO / words[1]))
    given = [words[index + 1] for index, word in enumerate(words) if word == "-p"]
    given += [name for index, word in enumerate(words) if word == "-y" for name in yaml.safe_load(words[index + 1])]
    assert given
    assert set(given) <= set(takes)


def test_both_examples_for_ci_give_the_same_command_and_keep_the_pages():
    steps = GITHUB["jobs"]["report"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == GITLAB["script"]
    [kept] = [step["with"]["path"] for step in steps if step.get("uses", "").startswith("actions/upload-artifact")]
    assert GITLAB["artifacts"]["paths"] == [kept] == ["reports/*.html"]
    [run] = [step for step in steps if "env" in step]
    assert run["env"] == {"NETWORKS": "${{ inputs.networks }}"}  # never within the shell's line
    inputs = GITHUB[True]["workflow_dispatch"]["inputs"]  # YAML 1.1 reads `on` as true
    assert inputs["networks"]["default"] == GITLAB["variables"]["NETWORKS"]


def test_the_examples_take_the_pinned_torch_s_build_for_cpus():
    [pin] = re.findall(r"^torch==\S+", (REPO / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert f'"{pin}+cpu" .' in GITLAB["script"][0]
    index = GITHUB["jobs"]["report"]["env"]["PIP_EXTRA_INDEX_URL"], GITLAB["variables"]["PIP_EXTRA_INDEX_URL"]
    assert index == ("${{ vars.TORCH_CPU_INDEX }}", "$TORCH_CPU_INDEX")


def test_the_documentation_shows_the_examples():
    told = (REPO / "docs" / "how-to" / "ci.md").read_text("utf-8")
    shown = re.findall(r'^--8<-- "(.+)"$', told, re.MULTILINE)
    assert [REPO / each for each in shown] == sorted(EXAMPLES.iterdir())


def test_the_example_for_gitlab_makes_the_page_of_these_networks(tmp_path: Path, monkeypatch):
    """Word for word, where this environment stands for the `pip install`."""
    install, *script = GITLAB["script"]
    assert install.startswith("pip install -c constraints.txt ")
    monkeypatch.setenv("NETWORKS", GITLAB["variables"]["NETWORKS"])
    said = shell("\n".join(script), tmp_path)

    stem = named("01_complexity_of_scaled_networks").stem
    [notebook] = tmp_path.glob("reports/runs/*/*.ipynb")
    assert sorted(path.name for path in tmp_path.glob(GITLAB["artifacts"]["paths"][0])) == [
        f"{stem}.html",
        "index.html",
    ]
    assert said.stderr.splitlines()[-1] == f"1/1 · {stem}"
    [rows] = [output.data[MIME] for output in outputs(stored(notebook)) if MIME in output.get("data", {})]
    ran = r"1 ran, 0 failed, 0 from the cache; verdicts: (.*): .*/reports/index.html\n"
    [verdicts] = re.findall(ran, said.stdout)
    assert said.stdout.count("\n") == 1
    assert sum(int(each.split()[-1]) for each in verdicts.split(", ")) == len(rows)
    [text] = [row["claim"] for row in rows if "flops under dWr" in row["claim"]]
    page = (tmp_path / "reports" / f"{stem}.html").read_text("utf-8")
    assert text in page
    assert "RegNetX-400MF" in page
    assert len(page.encode()) < 6e6
    assert notebook.stat().st_size < 1e6
