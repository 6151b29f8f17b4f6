"""Registry of architectures: one module for each, with the constant `ARCHITECTURE`.

`models.architecture` documents the contract.
"""
