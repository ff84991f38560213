//! All I/O of pg-clone: the server and what leads to it, its programs, and all SQL.

pub(crate) mod archive_file;
pub(crate) mod connection;
pub(crate) mod hook_process;
pub(crate) mod pg_tools;
pub(crate) mod sql;
