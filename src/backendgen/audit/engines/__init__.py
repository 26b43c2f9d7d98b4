"""The engines: each takes a project and rules and returns an EngineResult. They never import each other."""
