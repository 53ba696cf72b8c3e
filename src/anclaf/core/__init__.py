"""What every other package builds on: errors, label scales, progress, registries, settings, files."""
