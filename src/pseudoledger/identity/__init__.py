"""Keys, derivation from words, and the keystore: who signs, and how a signature is accepted."""
