"""The registry as files: TOML and CSV in, report, and out again."""
