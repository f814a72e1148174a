"""Finds tenant and token: in arguments, a login, the environment, `re` contexts, the keyring."""
