"""Development only: never part of the image (see .dockerignore)."""
