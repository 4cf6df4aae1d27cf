"""A missing optional package is named with the extra that installs it."""

import pytest

from segmentation.errors import ConfigError
from segmentation.system.packages import require_package


def test_a_missing_package_is_named_with_its_extra():
    require_package("pytest", "logger=pytest")
    with pytest.raises(
        ConfigError, match=r"^logger=absent needs absent, .*pip install 'cityseg\[absent\]'\.$"
    ):
        require_package("absent", "logger=absent")
