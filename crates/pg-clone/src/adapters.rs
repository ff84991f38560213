//! All I/O of pg-clone: the server, its programs, password files.

pub(crate) mod archive_file;
pub mod connection;
pub(crate) mod conninfo;
pub(crate) mod hook_process;
pub mod libpq;
pub(crate) mod passfile;
pub(crate) mod pg_tools;
pub(crate) mod service;
pub mod sql;
pub(crate) mod tls;
