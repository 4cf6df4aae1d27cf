"""What each script at the top does with its configuration."""
