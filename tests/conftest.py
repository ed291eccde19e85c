"""What every test shares."""

from __future__ import annotations

import pytest

#: Runs under the Python of LibreOffice, as a program of its own.
collect_ignore = ["uno_driver.py"]

#: Fixtures that open the shipped study's report, which takes long: once is enough.
SHIPPED = {"shipped", "shipped_calcs"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep together, where tests run side by side, what shares fixtures: a file, or the report."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        shared = SHIPPED & set(getattr(item, "fixturenames", ()))
        group = "the shipped report" if shared else item.location[0]
        item.add_marker(pytest.mark.xdist_group(group))
