"""Web applications: routes, authentication, middleware, pages, problem documents, probes."""
