"""`python -m app.auth.new_key` prints a new private key for AUTH_SIGNING_KEY."""

import sys

from app.auth.keys import generate

if __name__ == "__main__":
    sys.stdout.write(generate() + "\n")
