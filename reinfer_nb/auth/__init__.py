"""Which tenant, and which token: arguments, a login, the environment, contexts of `re`, the keyring."""
