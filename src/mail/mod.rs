//! Mail: what a message is, and the two ways it leaves by: a mail server, or files in the data folder.
