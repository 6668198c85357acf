"""The wiring: Faust, transactions, storage."""
