"""Boutons de lancement : le bon dépôt, et des carnets qui existent."""

import subprocess

import pytest

from site_ext.lancement import find_repository, launch_buttons, notebook_name


def git(folder, *arguments):
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)


@pytest.mark.parametrize(
    "url",
    [
        "git@github.com:ecole/cours-2026.git",
        "https://github.com/ecole/cours-2026",
        "https://github.com/ecole/cours-2026.git",
        "https://github.com/ecole/cours-2026/",
    ],
)
def test_the_repository_comes_from_the_git_remote(tmp_path, url):
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", url)
    assert find_repository(tmp_path) == "ecole/cours-2026"


def test_the_environment_variable_wins_so_that_a_fork_launches_its_own_notebooks(
    tmp_path, monkeypatch
):
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", "https://github.com/ecole/cours")
    monkeypatch.setenv("GITHUB_REPOSITORY", "autre/derive")
    assert find_repository(tmp_path) == "autre/derive"


@pytest.mark.parametrize("url", [None, "https://exemple.fr/ecole/cours.git"])
def test_without_a_github_repository_there_is_none(tmp_path, url):
    git(tmp_path, "init", "-q")
    if url:
        git(tmp_path, "remote", "add", "origin", url)
    assert find_repository(tmp_path) is None


@pytest.mark.parametrize("value", ["", "sans-barre", "a/b/c", "a b/c"])
def test_a_malformed_variable_is_ignored(tmp_path, monkeypatch, value):
    git(tmp_path, "init", "-q")
    monkeypatch.setenv("GITHUB_REPOSITORY", value)
    assert find_repository(tmp_path) is None


def test_the_two_notebooks_of_a_page_have_different_names():
    assert notebook_name("chapters/vision/convolution", student=False) == "vision/convolution.ipynb"
    assert (
        notebook_name("chapters/vision/convolution", student=True)
        == "vision/convolution-etudiant.ipynb"
    )


def test_with_a_repository_the_four_buttons_point_at_the_notebooks_of_the_page():
    buttons = launch_buttons("chapters/vision/convolution", "ecole/cours", "../../")
    urls = [button["url"] for button in buttons]
    assert urls == [
        "https://colab.research.google.com/github/ecole/cours/blob/carnets/carnets/vision/convolution-etudiant.ipynb",
        "https://mybinder.org/v2/gh/ecole/cours/carnets?labpath=carnets/vision/convolution-etudiant.ipynb",
        "../../carnets/vision/convolution-etudiant.ipynb",
        "../../carnets/vision/convolution.ipynb",
    ]


def test_without_a_repository_only_the_downloads_remain():
    buttons = launch_buttons("chapters/vision/convolution", None, "../../")
    assert [button["label"] for button in buttons] == [
        "lancement-carnet-etudiant",
        "lancement-carnet-complet",
    ]
