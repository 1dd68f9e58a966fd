"""Documents: sealed in object storage, staged until a fact names them."""
