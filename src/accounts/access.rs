//! Access tokens: biscuits that name an account, its session and an end, and that their holder can narrow.
