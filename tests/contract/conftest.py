"""A failing check shows its values, as a failing test does."""

import pytest

pytest.register_assert_rewrite("tests.contract.checks", "tests.contract.learning_checks")
