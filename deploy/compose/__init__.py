"""What the containers need beside the settings that local servers use too."""
