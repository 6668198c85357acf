"""Patients, devices, who wears which, and who agreed to what."""
