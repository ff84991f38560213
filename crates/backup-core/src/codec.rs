//! Compression of whole streams and of single frames.
