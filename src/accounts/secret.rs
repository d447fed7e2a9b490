//! Secrets that clients hold and the database knows by their hash: refresh tokens, mailed tokens, devices, CSRF tokens.
