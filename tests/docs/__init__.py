"""The documentation is part of the build: generated pages, commands, links and pictures."""
