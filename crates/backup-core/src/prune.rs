//! Removes what retention gave up, and what interrupted runs left.
