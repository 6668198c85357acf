"""Who may publish: a small certificate authority for devices, and passwords for those without."""
