"""The spec: the YAML language that `backendgen new` reads, as frozen data and a loader that finds all errors at once."""
