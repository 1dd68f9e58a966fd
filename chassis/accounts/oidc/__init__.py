"""Sign-in by OpenID Connect beside the local accounts: this door is a relying party of one issuer (OpenID Connect Core 1.0)."""
