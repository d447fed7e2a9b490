//! E-mail addresses: as they are written, and as they are compared.
