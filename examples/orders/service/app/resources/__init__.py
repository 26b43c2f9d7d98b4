"""The resources of the API: a package for each."""
