"""The definitions of the API: records, their fields and value types, validation, endpoints.

Shared by the client and the practice tenant's server.
"""
