"""Which tenant and which token: from arguments, a login, the environment, `re`, the keyring."""
