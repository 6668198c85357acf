"""Who is watched by what: a TOML file for each way of living with devices, and their reader."""
