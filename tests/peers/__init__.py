"""Other libraries as independent witnesses, where they are installed."""
