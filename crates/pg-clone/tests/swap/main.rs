//! The swap on a real server: under clients, killed at each step, with the server or the connection lost, and recovery.

mod clients;
mod killed;
mod locks;
mod lost;
mod settings;
mod shop;
