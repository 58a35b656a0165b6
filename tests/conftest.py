"""Règles communes à tous les tests."""

import os

import pytest


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    """En intégration continue, un test sauté est un échec : le navigateur n'est pas une option."""
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("CI") and skipped:
        names = ", ".join(sorted({report.nodeid for report in skipped}))
        terminalreporter.write_line(
            f"Tests sautés, interdits en intégration continue : {names}", red=True
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == 0 and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
