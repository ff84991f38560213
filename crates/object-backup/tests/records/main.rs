//! Records there and back: cycles, gludb's own tarballs, hostile ones, and the field's own tools.

mod cycle;
mod gludb;
mod hostile;
mod postgres;
mod sources;
mod tools;
mod world;
